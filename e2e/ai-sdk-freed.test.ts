import { createTrimkv } from '@trimkv/ai-sdk'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { createDevice } from '@trimkv/tensor'
import { generateText } from 'ai'
import { load } from 'trimkv'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'

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

describe('a provider that is disposed', () => {
  const ended = { code: 'TRIMKV_ABORTED', what: 'The model was disposed with its provider' }
  const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'find key' }] }]
  const long = { prompt, maxOutputTokens: 100_000 }

  it('loads nothing again', async () => {
    const trimkv = createTrimkv({ models: { one: small } })
    const model = trimkv('one')
    await model.doGenerate({ prompt, maxOutputTokens: 1 })
    await trimkv[Symbol.asyncDispose]()
    await expect(model.doGenerate({ prompt })).rejects.toMatchObject(ended)
    await expect(trimkv('one').doStream({ prompt })).rejects.toMatchObject(ended)
    expect(load).toHaveBeenCalledTimes(1)
    expect(held()).toEqual(empty)
    await trimkv[Symbol.asyncDispose]()
  })

  it('stops a model that is being loaded', async () => {
    const trimkv = createTrimkv({ models: { one: small } })
    const asked = trimkv('one').doGenerate(long)
    await Promise.all([
      expect(asked).rejects.toMatchObject(ended),
      trimkv[Symbol.asyncDispose]().then(() => expect(held()).toEqual(empty)),
    ])
  })

  it('stops an answer that is coming', async () => {
    const trimkv = createTrimkv({ models: { one: small } })
    await trimkv('one').doGenerate({ prompt, maxOutputTokens: 1 })
    const { tensors } = held()
    const asked = trimkv('one').doGenerate(long)
    const rejected = expect(asked).rejects.toMatchObject(ended)
    await vi.waitFor(() => expect(held().tensors).toBeGreaterThan(tensors))
    await trimkv[Symbol.asyncDispose]()
    expect(held()).toEqual(empty)
    await rejected
  })

  it.each([0, 6])('stops a stream of which %i parts were read, and that nobody reads on', async (parts) => {
    const trimkv = createTrimkv({ models: { one: small } })
    const { stream } = await trimkv('one').doStream(long)
    const reader = stream.getReader()
    for (let i = 0; i < parts; i++) await reader.read()
    await trimkv[Symbol.asyncDispose]()
    expect(held()).toEqual(empty)
    const rest: unknown[] = []
    for (let part = await reader.read(); !part.done; part = await reader.read()) rest.push(part.value)
    expect(rest.at(-1)).toMatchObject({ type: 'error', error: ended })
  })
})

it('a model that is disposed frees what it loaded', async () => {
  const loaded = await load(referenceModelDir, { gates: referenceGatesDir })
  expect(held().tensors).toBeGreaterThan(0)
  expect(await loaded.generate('put key library . find key', { maxNewTokens: 1 }).text()).toBe(' library')
  loaded[Symbol.dispose]()
  expect(held()).toEqual(empty)
})
