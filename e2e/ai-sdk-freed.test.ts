import { createTrimkv } from '@trimkv/ai-sdk'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { createDevice } from '@trimkv/tensor'
import { generateText } from 'ai'
import { load } from 'trimkv'
import { afterAll, beforeEach, expect, it, vi } from 'vitest'

// Models are loaded onto one device, whose counters tell what they leave behind.
const device = createDevice({ threads: 1 })
vi.mock('trimkv', async (original) => {
  const trimkv = await original<typeof import('trimkv')>()
  return {
    ...trimkv,
    load: vi.fn((source: string, options?: object) => trimkv.load(source, { ...options, device })),
  }
})
afterAll(() => device[Symbol.dispose]())
beforeEach(() => {
  vi.mocked(load).mockClear()
})

const small = { source: referenceModelDir, gates: referenceGatesDir, budget: 8, rawPrompt: true }
const empty = { tensors: 0, bytes: 0 }
const held = () => ({ tensors: device.liveTensors(), bytes: device.bytes() })

it('a provider that is disposed frees its models, and what a stopped answer took', async () => {
  {
    await using trimkv = createTrimkv({ models: { one: small, two: small, unused: small } })
    for (const name of ['one', 'two'])
      await generateText({ model: trimkv(name), prompt: 'put key library . find key', maxOutputTokens: 1 })
    expect(load).toHaveBeenCalledTimes(2)
    expect(held().tensors).toBeGreaterThan(0)
    const stopped = generateText({
      model: trimkv('one'),
      prompt: 'find key',
      abortSignal: AbortSignal.abort(),
      maxRetries: 0,
    })
    await expect(stopped).rejects.toThrow(/abort/)
  }
  expect(held()).toEqual(empty)
})

it('a model that is disposed frees what it loaded', async () => {
  const loaded = await load(referenceModelDir, { gates: referenceGatesDir })
  expect(held().tensors).toBeGreaterThan(0)
  expect(await loaded.generate('put key library . find key', { maxNewTokens: 1 }).text()).toBe(' library')
  loaded[Symbol.dispose]()
  expect(held()).toEqual(empty)
})
