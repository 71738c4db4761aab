import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BatchEvent,
  ChatSession,
  compare,
  type GenerateEvent,
  generateBatch,
  generateSamples,
  loadModel,
  type Model,
  type Usage,
} from '@trimkv/engine'
import { referenceModelDir } from '@trimkv/reference-model'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-times-'))
let model: Model
beforeAll(async () => {
  cpSync(referenceModelDir, folder, { recursive: true })
  writeFileSync(join(folder, 'chat_template.jinja'), '{% for m in messages %}{{ m.content }}{% endfor %}')
  model = await loadModel(folder, { threads: 2 })
})
afterAll(() => {
  model[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

// A clock on which a look takes a millisecond, and whoever reads an event a thousand seconds.
const pause = 1e6
let now = 0
beforeEach(() => {
  now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => ++now)
})
afterEach(() => void vi.restoreAllMocks())

/** The usage of each answer, as somebody gets it who reads slowly. */
async function usages(events: AsyncIterable<GenerateEvent | BatchEvent>): Promise<Usage[]> {
  const seen: Usage[] = []
  for await (const event of events) {
    now += pause
    if (event.type === 'done') seen['index' in event ? event.index : 0] = event.usage
  }
  return seen
}

const short = { ids: [5, 6, 7, 8] }
const long = { ids: Array.from({ length: 60 }, (_, i) => 5 + ((7 * i) % 90)) }
const options = { policy: 'full', chunk: 8, maxNewTokens: 6, ignoreEnd: true }

function expectForwardsOnly({ prefillMs, decodeMs, newTokens, tokensPerSecond }: Usage): void {
  expect(prefillMs).toBeLessThan(pause)
  expect(decodeMs).toBeGreaterThan(0)
  expect(decodeMs).toBeLessThan(pause)
  expect(tokensPerSecond).toBeCloseTo((1000 * (newTokens - 1)) / decodeMs)
}

describe('times of an answer', () => {
  it('are those of its forwards in a batch, and not of the prompts of others', async () => {
    const [first, second] = await usages(generateBatch(model, [short, long], options))
    for (const usage of [first!, second!]) expectForwardsOnly(usage)
    expect(first!.decodeMs).toBe(second!.decodeMs)
    expect(first!.prefillMs).toBeLessThan(second!.prefillMs)
  })

  it('are those of its forwards among samples', async () => {
    const [first, second] = await usages(
      generateSamples(model, long, { ...options, samples: 2, temperature: 1 }),
    )
    for (const usage of [first!, second!]) expectForwardsOnly(usage)
    expect(second!.prefillMs).toBe(0)
  })

  it('are those of its forwards in a conversation', async () => {
    using chat = new ChatSession(model, options)
    const [usage] = await usages(chat.send('put key library . find key'))
    expectForwardsOnly(usage!)
    expect(usage!.prefillMs).toBeGreaterThan(0)
  })

  it('are those of its forwards where policies are compared, with what each read of the prompt', async () => {
    for (const forceReference of [false, true]) {
      for await (const { run } of compare(model, long, {
        ...options,
        policies: ['streaming'],
        forceReference,
      })) {
        expectForwardsOnly(run.usage)
        // 8 chunks, and 5 tokens one by one.
        expect(run.usage.prefillMs).toBeGreaterThan(run.usage.decodeMs)
      }
    }
  })
})
