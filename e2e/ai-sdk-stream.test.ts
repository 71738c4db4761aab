import { languageModel } from '@trimkv/ai-sdk'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { streamText } from 'ai'
import { type LoadedModel, load } from 'trimkv'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const prompt = 'put key library . ida smiles . put stone kitchen . finn visits mill . find key'

let loaded: LoadedModel
beforeAll(async () => {
  loaded = await load(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
})
afterAll(() => loaded[Symbol.dispose]())

const raw = () => languageModel(loaded, { rawPrompt: true, budget: 8, exact: true })

/** Waits until a stream that was left has given its cache back. */
async function untilFreed(before: number): Promise<number> {
  const patience = Date.now() + 10_000
  while (loaded.model.device.liveTensors() !== before && Date.now() < patience) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return loaded.model.device.liveTensors()
}

describe('streamText', () => {
  it('streams the text of the engine token by token, with the report at the end', async () => {
    const expected = await loaded.generate(prompt, { budget: 8, exact: true, maxNewTokens: 4 }).result()
    const result = streamText({ model: raw(), prompt, maxOutputTokens: 4 })
    const pieces: string[] = []
    for await (const piece of result.textStream) pieces.push(piece)

    expect(pieces.length).toBeGreaterThan(1)
    expect(pieces.join('')).toBe(expected.text)
    expect(await result.finishReason).toBe('length')
    expect(await result.usage).toMatchObject({ inputTokens: expected.usage.promptTokens, outputTokens: 4 })
    expect(await result.providerMetadata).toMatchObject({
      trimkv: { policy: 'trimkv', budget: 8, meter: expected.usage.meter },
    })
  })

  it('shows the events of the engine as raw chunks, the prompt being read among them', async () => {
    const { fullStream } = streamText({ model: raw(), prompt, maxOutputTokens: 2, includeRawChunks: true })
    const kinds: string[] = []
    for await (const part of fullStream) {
      if (part.type === 'raw') kinds.push((part.rawValue as { type: string }).type)
    }
    expect(new Set(kinds)).toEqual(new Set(['prefill', 'token', 'done']))
  })

  it('stops when it is aborted, and frees the cache', async () => {
    const before = loaded.model.device.liveTensors()
    const stop = new AbortController()
    const result = streamText({
      model: raw(),
      prompt,
      maxOutputTokens: 100_000,
      abortSignal: stop.signal,
      onError: () => undefined,
    })
    const kinds = new Set<string>()
    let seen = 0
    for await (const part of result.fullStream) {
      kinds.add(part.type)
      if (part.type === 'text-delta' && ++seen === 3) stop.abort()
    }
    expect([...kinds]).toContain('abort')
    expect(seen).toBeLessThan(100)
    expect(await untilFreed(before)).toBe(before)
  })

  it('makes no token that nobody reads, and frees the cache of a stream that is left', async () => {
    const before = loaded.model.device.liveTensors()
    const { stream } = await raw().doStream({
      prompt: [{ role: 'user', content: [{ type: 'text', text: prompt }] }],
      maxOutputTokens: 100_000,
    })
    expect(loaded.model.device.liveTensors()).toBe(before)
    const reader = stream.getReader()
    for (let i = 0; i < 6; i++) await reader.read()
    expect(loaded.model.device.liveTensors()).toBeGreaterThan(before)
    await reader.cancel()
    expect(await untilFreed(before)).toBe(before)
  })

  it('reports what fails as an error of the stream', async () => {
    const failures: unknown[] = []
    const result = streamText({
      model: raw(),
      prompt,
      providerOptions: { trimkv: { budget: 2, policy: 'streaming' } },
      onError: ({ error }) => void failures.push(error),
    })
    await result.consumeStream()
    expect(failures).toMatchObject([{ code: 'TRIMKV_BUDGET_TOO_SMALL' }])
  })
})
