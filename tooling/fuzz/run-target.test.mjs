// @ts-check
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
  if (seed === 11) throw Object.assign(new Error('broken'), { code: 'TRIMKV_INVARIANT' })
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
function runSource(name, source, cases = 200) {
  const bundle = join(folder, `${name}.mjs`)
  writeFileSync(bundle, source)
  const kept = join(folder, 'kept')
  return runTarget({ root: process.cwd(), folder, kept, name, bundle, cases, seed: 0, lanes: 2 })
}

/**
 * @param {string} run body of a case, with its `seed`
 * @param {string} [parts] further fields of the target
 */
const targetOf = (run, parts = '') => `
// packages/sample/src/target.ts
let handles = 0
const left = []
export const target = {
  covers: ['packages/sample/src/target.ts'],
  every: 1,
  ${parts}
  createCase: (seed) => ({ run() { ${run} } }),
}
`

/** @param {import('./run-target.mjs').Outcome} outcome */
const seedsOf = ({ findings }) => findings.map(({ seed }) => seed).sort((a, b) => a - b)

it('finds errors of others, crashes, hangs, long messages and memory, and goes on after each', async () => {
  const outcome = await runSource('faulty', faulty)
  const found = new Map(outcome.findings.map(({ seed, problem }) => [seed, problem]))
  expect(seedsOf(outcome)).toEqual([3, 5, 7, 9, 11, 150])
  expect(found.get(3)).toContain('TypeError: not ours')
  expect(found.get(5)).toMatch(/ended with SIGABRT/)
  expect(found.get(7)).toBe('no answer after 5000 ms')
  expect(found.get(9)).toMatch(/a message of 5000 characters/)
  expect(found.get(11)).toContain('Error: broken')
  expect(found.get(150)).toMatch(/bytes of memory for files of 8/)
  expect(outcome.codes.TRIMKV_FORMAT).toBeGreaterThan(90)
  expect(readFileSync(join(folder, 'kept/faulty-7/input.txt'), 'utf8')).toBe('seed 7')
  expect(readFileSync(join(folder, 'kept/faulty-3/problem.txt'), 'utf8')).toContain('not ours')
  const [file] = outcome.coverage
  expect(file?.lines.total).toBeGreaterThan(file?.lines.covered ?? 0)
  expect(file?.missed).toHaveLength(1)
  expect(file?.branches.total).toBeGreaterThan(file?.branches.covered ?? 0)
}, 60_000)

it.runIf(process.platform === 'linux')(
  'finds memory that lies under an earlier peak of the process',
  async () => {
    const run = `
    if (seed === 120) { Buffer.alloc(200e6, 1); gc() }
    if (seed === 150) left.push(Buffer.alloc(100e6, 1))`
    const outcome = await runSource('peaks', targetOf(run))
    expect(seedsOf(outcome)).toEqual([120, 150])
  },
  60_000,
)

it('takes the codes that a target lists for answers, and no others', async () => {
  const run = `
    if (seed === 3) throw Object.assign(new Error('a'), { code: 'TRIMKV_INVARIANT' })
    if (seed === 5) throw Object.assign(new Error('b'), { code: 'TRIMKV_FORMAT' })`
  const outcome = await runSource('listed', targetOf(run, `refusals: ['TRIMKV_INVARIANT'],`))
  expect(seedsOf(outcome)).toEqual([5])
  expect(outcome.codes).toEqual({ TRIMKV_INVARIANT: 1 })
}, 60_000)

it('finds what a case leaves behind, also one that was refused, and does not blame the next', async () => {
  const run = `
    if (seed === 4 || seed === 6) handles++
    if (seed === 6) throw Object.assign(new Error('refused'), { code: 'TRIMKV_FORMAT' })`
  const outcome = await runSource('handles', targetOf(run, 'counters: () => ({ handles }),'))
  expect(outcome.findings).toEqual([
    { seed: 4, problem: '{"handles":1} after the case, {"handles":0} before' },
    { seed: 6, problem: '{"handles":2} after the case, {"handles":1} before' },
  ])
}, 60_000)

it('stops when there are many findings', async () => {
  const outcome = await runSource('always', targetOf(`throw new Error('always')`), 5000)
  expect(outcome.findings.length).toBeGreaterThanOrEqual(50)
  expect(outcome.cases).toBeLessThanOrEqual(100)
}, 60_000)

describe('a lasting target', () => {
  it('has one process for all its cases', async () => {
    const run = `if (handles++ !== seed) throw new Error('there are others')`
    const outcome = await runSource('lasting', targetOf(run, 'lasting: true,'), 6000)
    expect(outcome).toMatchObject({ cases: 6000, accepted: 6000, findings: [] })
  }, 60_000)

  it.each([
    ['buffers', 'left.push(Buffer.alloc(60_000, 1))', /^\d+ bytes resident, \d+ before; \d+ bytes values/],
    ['values', 'left.push(Array.from({ length: 1500 }, (_, i) => i + 0.5))', /bytes values, \d+ before/],
  ])(
    'is found to keep memory in the shortest sample: %s',
    async (name, run, problem) => {
      const outcome = await runSource(name, targetOf(run, 'lasting: true,'), 1)
      expect(outcome.cases).toBe(600)
      expect(outcome.findings).toEqual([{ seed: 599, problem: expect.stringMatching(problem) }])
    },
    60_000,
  )

  it('is found to keep little memory in a long run', async () => {
    const run = 'left.push(new Float64Array(400).fill(1))'
    const outcome = await runSource('little', targetOf(run, 'lasting: true,'), 10_000)
    expect(outcome.findings.length).toBeGreaterThan(1)
  }, 60_000)
})

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
