// @ts-check
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fingerprintOfContents, fingerprintOfTimes, isUpToDate, markDone, markUndone } from './step.mjs'

function sampleFolder() {
  const root = mkdtempSync(join(tmpdir(), 'trimkv-step-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'out'))
  writeFileSync(join(root, 'in.txt'), 'one')
  writeFileSync(join(root, 'out/done'), '')
  return root
}

describe('isUpToDate', () => {
  it('is true after the step is done, until its inputs change or its outputs go', () => {
    const root = sampleFolder()
    const step = { name: 'sample', inputs: 'a', outputs: [join(root, 'out/done')] }
    expect(isUpToDate(root, step)).toBe(false)
    markDone(root, step)
    expect(isUpToDate(root, step)).toBe(true)
    expect(isUpToDate(root, { ...step, inputs: 'b' })).toBe(false)
    rmSync(join(root, 'out/done'))
    expect(isUpToDate(root, step)).toBe(false)
  })

  it('is false after the step was begun again and not finished', () => {
    const root = sampleFolder()
    const step = { name: 'sample', inputs: 'a', outputs: [] }
    markDone(root, step)
    markUndone(root, step)
    expect(isUpToDate(root, step)).toBe(false)
  })
})

describe('fingerprints', () => {
  it('of contents change with the text alone', () => {
    const root = sampleFolder()
    const file = join(root, 'in.txt')
    const before = fingerprintOfContents(root, [file])
    utimesSync(file, 1, 1)
    expect(fingerprintOfContents(root, [file])).toBe(before)
    writeFileSync(file, 'two')
    expect(fingerprintOfContents(root, [file])).not.toBe(before)
  })

  it('of times change with the modification time and with the list of files', () => {
    const root = sampleFolder()
    const file = join(root, 'in.txt')
    const before = fingerprintOfTimes(root, [file])
    expect(fingerprintOfTimes(root, [file])).toBe(before)
    expect(fingerprintOfTimes(root, [file, join(root, 'out/done')])).not.toBe(before)
    utimesSync(file, 1, 1)
    expect(fingerprintOfTimes(root, [file])).not.toBe(before)
  })
})
