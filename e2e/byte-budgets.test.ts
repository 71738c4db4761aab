import { type CacheOptions, createSession, loadModel, type Model, prefill } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from './command-line.ts'

let model: Model
beforeAll(async () => {
  model = await loadModel(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
})
afterAll(() => model[Symbol.dispose]())

const length = 240
const promptLength = 60
const ids = Array.from({ length }, (_, i) => 1 + ((i * i * 7 + i * 37) % 500))

/** Bytes that the meter shows after every forward over a text. */
async function allocated(options: CacheOptions, batch: number): Promise<number[]> {
  using session = createSession(model, options, { batch, maxTokens: length })
  const bytes: number[] = []
  for (let seat = 0; seat < batch; seat++) {
    session.begin(seat, length)
    for await (const _ of prefill(session, { seat, ids: ids.slice(0, promptLength), output: 'none' }))
      bytes.push(session.cache.meter().allocatedBytes)
  }
  for (const id of ids.slice(promptLength)) {
    await session.forward({ ids: Array.from({ length: batch }, () => [id]), output: { kind: 'none' } })
    bytes.push(session.cache.meter().allocatedBytes)
  }
  return bytes
}

const kib = 1024
const policies = [
  'trimkv',
  'streaming:sinks=2',
  'dbtrimkv',
  'dbtrimkv:scope=layer',
  'dbtrimkv:min=2',
  'dbtrimkv:threshold=0.01',
]
const modes: readonly (readonly [string, CacheOptions])[] = [
  ['in cuts', { buffer: 6, chunk: 16 }],
  ['token by token', { exact: true }],
  ['in bf16', { buffer: 3, chunk: 16, kvDtype: 'bf16' }],
]

describe.each(policies)('%s with a budget in bytes', (policy) => {
  it.each(modes)('never takes more, %s', async (_, options) => {
    for (const [budget, batch] of [
      [160 * kib, 1],
      [280 * kib + 1, 1],
      [400 * kib, 2],
    ] as const) {
      const bytes = await allocated({ ...options, policy, budget: `${budget}B` }, batch)
      expect(Math.max(...bytes)).toBeLessThanOrEqual(budget)
      // What is paid for is used: pages, even where a head fills them half, and slots.
      if (!policy.includes('threshold')) expect(Math.max(...bytes)).toBeGreaterThan(budget / 3)
    }
  })
})

describe('a budget in bytes', () => {
  it('holds what the slots of one size take, to the last token', async () => {
    // 4 layers · 2 heads · ((2 · 32 + 1) · 4 bytes a token, 8 for counts), a token of them beyond the budget
    const token = 8 * 65 * 4
    const bytes = await allocated({ policy: 'trimkv', budget: `${64 + 40 * token}B`, buffer: 1 }, 1)
    expect(Math.max(...bytes)).toBeGreaterThan(39 * token)
    expect(Math.max(...bytes)).toBeLessThanOrEqual(64 + 40 * token)
  })

  it('that leaves no room for a token is refused with the least that does', async () => {
    const args = [
      'generate',
      referenceModelDir,
      '--gates',
      referenceGatesDir,
      '-p',
      'put key barn',
      '--max-new',
      '1',
    ]
    const { code, stderr } = await run([
      ...args,
      '--policy',
      'dbtrimkv',
      '--budget',
      '64KiB',
      '--buffer',
      '1',
    ])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/64KiB is too small for dbtrimkv[\s\S]*pages of \d+ bytes/)
    const least = /at least (\d+B)/.exec(stderr)![1]!
    const fits = await run([...args, '--policy', 'dbtrimkv', '--budget', least, '--buffer', '1', '--json'])
    expect(fits.code).toBe(0)
    expect(JSON.parse(fits.stdout).usage.budget).toBe(1)
  })
})
