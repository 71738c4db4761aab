// @ts-check
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { nodeProblem, toolchainProblem } from './requirements.mjs'

/**
 * @param {Record<string, string>} programs what each prints as its version
 * @returns {{ PATH: string }} an environment in which nothing else is installed
 */
function machineWith(programs) {
  const folder = mkdtempSync(join(tmpdir(), 'trimkv-bin-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, version] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${version}"\n`)
    chmodSync(join(folder, name), 0o755)
  }
  return { PATH: folder }
}

describe('nodeProblem', () => {
  it.each(['20.19.0', '20.20.2', '22.0.0'])('accepts %s', (version) => {
    expect(nodeProblem(version)).toBeUndefined()
  })

  it.each(['18.20.8', '20.18.3'])('answers %s with one line', (version) => {
    expect(nodeProblem(version)).toMatch(
      new RegExp(`^.*needs Node\\.js 20\\.19 .* this is ${version}: install.*$`),
    )
  })
})

describe('toolchainProblem', () => {
  const all = { 'g++': 'g++ 12.2.0', cmake: 'cmake version 3.25.1', make: 'GNU Make 4.3' }

  it('accepts a compiler, CMake and make', () => {
    expect(toolchainProblem(machineWith(all))).toBeUndefined()
  })

  it('accepts the compiler that CXX names', () => {
    const machine = machineWith({ 'my-clang': 'clang 17', cmake: 'cmake version 3.20.0', ninja: '1.11' })
    expect(toolchainProblem({ ...machine, CXX: 'my-clang' })).toBeUndefined()
    expect(toolchainProblem({ ...machine, CXX: 'absent' })).toContain('a C++ compiler (looked for absent)')
  })

  it('names everything that is missing, and what to install, at once', () => {
    const problem = toolchainProblem(machineWith({}))
    expect(problem).toContain(
      'a C++ compiler (looked for g++, c++, clang++), CMake 3.20 or newer, and make or ninja',
    )
    expect(problem).toContain('apt-get install g++ cmake make')
    expect(problem).toContain('dnf install gcc-c++ cmake make')
    expect(problem).toContain('xcode-select --install')
  })

  it('says which CMake is too old', () => {
    expect(toolchainProblem(machineWith({ ...all, cmake: 'cmake version 3.16.3' }))).toContain(
      'CMake 3.20 or newer (found 3.16.3)',
    )
  })
})
