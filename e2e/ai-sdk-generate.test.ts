import { cacheMetadata, createTrimkv, languageModel, type TrimkvSettings } from '@trimkv/ai-sdk'
import { policies } from '@trimkv/cache'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { generateObject, generateText, NoObjectGeneratedError, tool, UnsupportedFunctionalityError } from 'ai'
import { type LoadedModel, load } from 'trimkv'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'

// The client prints warnings unless told not to.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

const prompt = 'put key library . ida smiles . put stone kitchen . finn visits mill . find key'

let loaded: LoadedModel
beforeAll(async () => {
  loaded = await load(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
})
afterAll(() => loaded[Symbol.dispose]())

const tools = { look: tool({ inputSchema: z.object({ place: z.string() }), execute: ({ place }) => place }) }
const raw = () => languageModel(loaded, { rawPrompt: true, budget: 8, exact: true })

describe('generateText', () => {
  it('answers as the engine does, and reports tokens, the end and the cache', async () => {
    const expected = await loaded
      .generate(prompt, { budget: 8, exact: true, maxNewTokens: 3, stop: ['.'] })
      .result()
    const result = await generateText({ model: raw(), prompt, maxOutputTokens: 3, stopSequences: ['.'] })

    expect(result.text).toBe(expected.text)
    expect(result.text.trim()).toBe('library')
    expect([result.finishReason, result.rawFinishReason]).toEqual(['stop', 'stop'])
    const { promptTokens, newTokens } = expected.usage
    expect(result.usage).toMatchObject({
      inputTokens: promptTokens,
      outputTokens: newTokens,
      totalTokens: promptTokens + newTokens,
    })
    const report = cacheMetadata(result.providerMetadata)!
    const { policy, mode, meter, budget, budgetReached } = expected.usage
    expect(report).toMatchObject({ policy, mode, meter, budget, budgetReached })
    expect(report).toMatchObject({ policy: 'trimkv', budget: 8, budgetReached: true })
    expect(report.meter.evictions).toBeGreaterThan(0)
    expect(result.usage.raw).toEqual(report)
    expect(result.warnings).toEqual([])
    expect(result.response.modelId).toBe('model')
  })

  it('tells the limit of tokens from an end', async () => {
    const { finishReason, rawFinishReason } = await generateText({ model: raw(), prompt, maxOutputTokens: 1 })
    expect([finishReason, rawFinishReason]).toEqual(['length', 'length'])
  })

  it('draws the same with the same seed, and what the engine draws', async () => {
    const sampling = { temperature: 2.5, topK: 50, topP: 0.99 }
    const draw = (seed: number) =>
      generateText({ model: raw(), prompt, maxOutputTokens: 12, seed, ...sampling }).then(({ text }) => text)
    const direct = loaded.generate(prompt, { budget: 8, exact: true, maxNewTokens: 12, seed: 1, ...sampling })
    const [first, second, other] = [await draw(1), await draw(1), await draw(2)]
    expect(first).toBe(second)
    expect(first).toBe(await direct.text())
    expect(first).not.toBe(other)
  })

  it('takes options of one call over those of the model', async () => {
    const { providerMetadata } = await generateText({
      model: raw(),
      prompt,
      maxOutputTokens: 2,
      providerOptions: { trimkv: { policy: 'snapkv:window=4', budget: '25%', exact: false, buffer: 2 } },
    })
    expect(providerMetadata?.trimkv).toMatchObject({
      policy: 'snapkv',
      policyOptions: { window: 4 },
      mode: { mode: 'buffered', buffer: 2 },
    })
  })

  it('stores keys and values as the model or a call says', async () => {
    const settings = { rawPrompt: true, budget: 8, exact: true, kvDtype: 'f8' } as const
    const ask = (call: object) =>
      generateText({ model: languageModel(loaded, settings), prompt, maxOutputTokens: 1, ...call })
    expect((await ask({})).providerMetadata?.trimkv).toMatchObject({ kvDtype: 'f8' })
    const wide = await ask({ providerOptions: { trimkv: { kvDtype: 'bf16' } } })
    expect(wide.providerMetadata?.trimkv).toMatchObject({ kvDtype: 'bf16' })
    const narrow = generateText({ model: raw(), prompt, providerOptions: { trimkv: { kvDtype: 'f8' } } })
    expect((await narrow).providerMetadata?.trimkv).toMatchObject({ kvDtype: 'f8' })
  })

  it.each([
    [{ budgets: 8 }, 'budget'],
    [{ kvDtype: 'f9' }, 'f32, bf16, f16, f8'],
    [{ kvDtype: 8 }, 'kvDtype'],
    [{ budget: 'a lot' }, 'a lot'],
    [{ policy: 'snapkvv' }, 'snapkv'],
  ])('refuses %j with what there is', async (trimkv, hint) => {
    const asked = generateText({ model: raw(), prompt, providerOptions: { trimkv }, maxRetries: 0 })
    await expect(asked).rejects.toMatchObject({
      code: 'TRIMKV_OPTION',
      message: expect.stringContaining(hint),
    })
  })

  it.each([
    [{ budgets: 8 }, 'budgets'],
    [{ budget: 8, stop: ['.'] }, 'stop'],
    [{ maxNewTokens: 3 }, 'maxNewTokens'],
    [{ exact: 'yes' }, 'exact'],
    [{ policy: 8 }, 'policy'],
  ])('refuses %j as settings of a model when it is made', (settings, name) => {
    const refusal = expect.objectContaining({ code: 'TRIMKV_OPTION', message: expect.stringContaining(name) })
    expect(() => languageModel(loaded, settings as TrimkvSettings)).toThrow(refusal)
    const models = { small: { source: referenceModelDir, ...(settings as TrimkvSettings) } }
    expect(() => createTrimkv({ models })).toThrow(refusal)
  })

  it('takes a policy by its value, and leaves out what is undefined', async () => {
    const policy = { policy: policies.snapkv, options: { window: 4 } }
    const settings: object = { policy, budget: 8, buffer: 2, rawPrompt: true, kvDtype: undefined }
    const model = languageModel(loaded, settings)
    const { providerMetadata } = await generateText({ model, prompt, maxOutputTokens: 1 })
    expect(providerMetadata?.trimkv).toMatchObject({ policy: 'snapkv', policyOptions: { window: 4 } })
    expect(() => languageModel(loaded, { policy: policies.h2o })).not.toThrow()
  })

  it('warns of every setting that has no effect', async () => {
    const { warnings, text } = await generateText({
      model: raw(),
      prompt,
      maxOutputTokens: 1,
      topP: 0.9,
      topK: 3,
      presencePenalty: 1,
      frequencyPenalty: 1,
      tools,
    })
    expect(warnings?.map((warning) => 'feature' in warning && warning.feature)).toEqual([
      'tools',
      'presencePenalty',
      'frequencyPenalty',
      'topK',
      'topP',
    ])
    expect(text.trim()).toBe('library')
  })

  it('takes minP of a model with a temperature, and warns of it without one', async () => {
    const settings = { rawPrompt: true, budget: 8, exact: true, minP: 0.3 }
    const model = languageModel(loaded, settings)
    const { warnings, text } = await generateText({ model, prompt, maxOutputTokens: 1 })
    expect(warnings).toMatchObject([{ type: 'unsupported', feature: 'minP' }])
    expect(text.trim()).toBe('library')

    const sampling = { temperature: 3, seed: 4 }
    const drawn = await generateText({ model, prompt, maxOutputTokens: 8, ...sampling })
    const options = { budget: 8, exact: true, maxNewTokens: 8, ...sampling }
    expect(drawn.warnings).toEqual([])
    expect(drawn.text).toBe(await loaded.generate(prompt, { ...options, minP: 0.3 }).text())
    expect(drawn.text).not.toBe(await loaded.generate(prompt, options).text())
  })

  it('refuses what it cannot promise', async () => {
    const required = generateText({ model: raw(), prompt, tools, toolChoice: 'required' })
    await expect(required).rejects.toSatisfy((error) => UnsupportedFunctionalityError.isInstance(error))

    const image = { type: 'file' as const, mediaType: 'image/png', data: new Uint8Array([1]) }
    const seen = generateText({ model: raw(), messages: [{ role: 'user', content: [image] }] })
    await expect(seen).rejects.toSatisfy((error) => UnsupportedFunctionalityError.isInstance(error))
  })

  it('says that nothing makes an answer JSON', async () => {
    const asked = generateObject({ model: raw(), prompt, maxOutputTokens: 2, schema: z.object({}) })
    await expect(asked).rejects.toSatisfy((error) => NoObjectGeneratedError.isInstance(error))
    const { warnings } = await raw().doGenerate({
      prompt: [{ role: 'user', content: [{ type: 'text', text: prompt }] }],
      maxOutputTokens: 1,
      responseFormat: { type: 'json' },
    })
    expect(warnings).toMatchObject([{ type: 'unsupported', feature: 'responseFormat' }])
  })

  it('passes errors of the engine on', async () => {
    const asked = generateText({ model: languageModel(loaded, { budget: 8 }), prompt })
    await expect(asked).rejects.toMatchObject({
      code: 'TRIMKV_TEMPLATE',
      message: expect.stringContaining('rawPrompt: true'),
    })
  })

  it('rejects with the reason of an abort, before and while it answers', async () => {
    const early = generateText({ model: raw(), prompt, abortSignal: AbortSignal.abort(new Error('early')) })
    await expect(early).rejects.toThrow('early')

    const stop = new AbortController()
    const late = generateText({ model: raw(), prompt, maxOutputTokens: 100_000, abortSignal: stop.signal })
    setTimeout(() => stop.abort(new Error('late')), 100)
    await expect(late).rejects.toThrow('late')
  })

  it('answers several calls side by side', async () => {
    const ask = () => generateText({ model: raw(), prompt, maxOutputTokens: 2 })
    const texts = (await Promise.all([ask(), ask(), ask()])).map(({ text }) => text)
    expect(new Set(texts).size).toBe(1)
  })

  it('frees every cache', async () => {
    const before = loaded.model.device.liveTensors()
    await generateText({ model: raw(), prompt, maxOutputTokens: 2 })
    expect(loaded.model.device.liveTensors()).toBe(before)
  })
})
