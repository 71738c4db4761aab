// @ts-check
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { reportOf, withReport } from './report.mjs'
import { runTarget } from './run-target.mjs'

/** A target with one case of each fault; all others are accepted or refused. */
const faulty = `
// packages/sample/src/read.ts
function read(seed) {
  if (seed === 3) throw new TypeError('not ours')
  if (seed === 5) process.abort()
  if (seed === 7) for (;;);
  if (seed === 9) throw Object.assign(new Error('x'.repeat(5000)), { code: 'TRIMKV_FORMAT' })
  if (seed === 150) globalThis.kept = Buffer.alloc(120e6, 1)
  if (seed % 2 === 0) throw Object.assign(new Error('refused'), { code: 'TRIMKV_FORMAT' })
  if (seed < 0) {
    return 'never'
  }
}
// packages/sample/src/target.ts
export const target = {
  covers: ['packages/sample/src/read.ts'],
  every: 1,
  createCase: (seed) => ({ files: { 'input.txt': 'seed ' + seed }, run: () => read(seed) }),
}
`

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trimkv-fuzz-test-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** @param {string} name @param {string} source */
function runSource(name, source) {
  const bundle = join(folder, `${name}.mjs`)
  writeFileSync(bundle, source)
  const kept = join(folder, 'kept')
  return runTarget({ root: process.cwd(), folder, kept, name, bundle, cases: 200, seed: 0, lanes: 1 })
}

it('finds errors of others, crashes, hangs, long messages and memory, and goes on after each', async () => {
  const outcome = await runSource('faulty', faulty)
  const found = new Map(outcome.findings.map(({ seed, problem }) => [seed, problem]))
  expect([...found.keys()].sort((a, b) => a - b)).toEqual([3, 5, 7, 9, 150])
  expect(found.get(3)).toContain('TypeError: not ours')
  expect(found.get(5)).toMatch(/ended with SIGABRT/)
  expect(found.get(7)).toBe('no answer after 5000 ms')
  expect(found.get(9)).toMatch(/a message of 5000 characters/)
  expect(found.get(150)).toMatch(/bytes of memory for files of 8/)
  expect(outcome.codes.TRIMKV_FORMAT).toBeGreaterThan(90)
  expect(readFileSync(join(folder, 'kept/faulty-7/input.txt'), 'utf8')).toBe('seed 7')
  expect(readFileSync(join(folder, 'kept/faulty-3/problem.txt'), 'utf8')).toContain('not ours')
  const [file] = outcome.coverage
  expect(file?.lines.total).toBeGreaterThan(file?.lines.covered ?? 0)
  expect(file?.missed).toHaveLength(1)
  expect(file?.branches.total).toBeGreaterThan(file?.branches.covered ?? 0)
}, 60_000)

it('stops when a target cannot be loaded', async () => {
  await expect(runSource('broken', `throw new Error('no such thing')`)).rejects.toThrow(/no such thing/)
  expect(existsSync(join(folder, 'kept/broken-0'))).toBe(false)
})

it('writes its rows between the marks of a document and leaves those of other targets', () => {
  const outcome = (/** @type {string} */ name, /** @type {number} */ cases) => ({
    name,
    cases,
    seed: 1,
    accepted: cases,
    refused: 0,
    codes: {},
    slowestMs: 2,
    seconds: 3,
    findings: [],
    coverage: [
      {
        file: `${name}.ts`,
        lines: { covered: 1, total: 2 },
        branches: { covered: 3, total: 3 },
        missed: [2],
      },
    ],
  })
  const empty = 'before\n<!-- fuzz: begin -->\n<!-- fuzz: end -->\nafter\n'
  const first = withReport(empty, [outcome('a', 10), outcome('b', 20)])
  expect(first).toContain('| a | 10 | 1 | 10 | 0 | 3 | 2 | 50 % | 100 % | 0 |\n| b | 20 |')
  const second = withReport(first, [outcome('a', 1000)])
  expect(second).toBe(first.replace('| a | 10 | 1 | 10 |', '| a | 1 000 | 1 | 1 000 |'))
  expect(reportOf([])).toContain('| target | file |')
  expect(() => withReport('nothing', [])).toThrow(/no <!-- fuzz: begin -->/)
})
