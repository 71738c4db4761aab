import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type GenerateOptions, generate, loadModel, type Model, quantiseModel, score } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from './command-line.ts'
import { fillScales, fillWeight } from './damaged-weights.ts'
import { goldenPath } from './golden.ts'

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'trimkv-hostile-'))
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

let copies = 0
function copyOf(dir: string): string {
  const copy = join(home, `model-${copies++}`)
  cpSync(dir, copy, { recursive: true })
  return copy
}

type Json = Record<string, unknown>

/** A copy of a model with a file changed. */
function withJson(dir: string, name: string, change: (json: Json) => Json): string {
  const copy = copyOf(dir)
  const path = join(copy, name)
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))))
  return copy
}

/** A copy of the reference model with every element of one weight replaced. */
async function withWeight(name: RegExp, value: number): Promise<string> {
  const copy = copyOf(referenceModelDir)
  await fillWeight(join(copy, 'model.safetensors'), name, value)
  return copy
}

const prompt = 'put key barn . find key'

const tries: readonly GenerateOptions[] = [
  {},
  { temperature: 1 },
  { policy: 'h2o', budget: 6, buffer: 2 },
  { policy: 'knorm', budget: 6 },
]

/** Each try ends in an answer of full length, or in an error that says what is wrong. */
async function answers(model: Model, options: readonly GenerateOptions[], message: RegExp): Promise<void> {
  const before = model.device.liveTensors()
  for (const tried of options) {
    const answer = generate(model, prompt, { maxNewTokens: 8, ignoreEnd: true, ...tried }).result()
    const outcome = await answer.catch((error: unknown) => error as Error & { code: string })
    if (outcome instanceof Error) expect(outcome.message).toMatch(message)
    else expect(outcome.ids).toHaveLength(8)
  }
  expect(model.device.liveTensors()).toBe(before)
}

describe('weights that are no numbers', () => {
  const places = {
    'the embedding': /embed_tokens/,
    'a norm': /layers\.0\.input_layernorm/,
    'a projection': /layers\.1\..*down_proj/,
  }
  const values = { NaN: Number.NaN, '+∞': Infinity, '−∞': -Infinity }
  const cases = Object.keys(places).flatMap((place) =>
    Object.keys(values).map((value) => [place, value] as const),
  )

  it.each(cases)('%s %s: an answer or an error that names the weights', async (place, value) => {
    const dir = await withWeight(places[place as keyof typeof places], values[value as keyof typeof values])
    using model = await loadModel(dir, { threads: 2 })
    await answers(model, tries, /NaN[\s\S]*weights are damaged/)
  })

  it('are refused by name on the command line', async () => {
    const finished = await run(['generate', await withWeight(/embed_tokens/, Number.NaN), '-p', prompt])
    expect(finished.code).toBeGreaterThan(0)
    expect(finished.stderr).toMatch(/NaN[\s\S]*weights are damaged/)
  })

  it('give a score that says so', async () => {
    using model = await loadModel(await withWeight(/embed_tokens/, Number.NaN), { threads: 2 })
    const outcome = await score(model, prompt).catch((error: unknown) => error as Error)
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: expect.stringMatching(/^TRIMKV_/) })
    else expect(outcome.perplexity).toBeNaN()
  })
})

describe('gates that are no numbers', () => {
  const places = { 'a weight': /layers\.0\..*weight/, 'a bias': /layers\.1\..*bias/ }
  const values = { NaN: Number.NaN, '+∞': Infinity, '−∞': -Infinity }
  const cases = Object.keys(places).flatMap((place) =>
    Object.keys(values).map((value) => [place, value] as const),
  )

  it.each(cases)(
    '%s %s: they choose what is kept, always the same, and nothing else',
    async (place, value) => {
      const gates = copyOf(referenceGatesDir)
      const path = join(gates, 'retention_gates.safetensors')
      await fillWeight(path, places[place as keyof typeof places], values[value as keyof typeof values])
      using model = await loadModel(referenceModelDir, { gates, threads: 2 })
      const before = model.device.liveTensors()
      const idsOf = async (options: GenerateOptions) =>
        (await generate(model, prompt, { maxNewTokens: 8, ignoreEnd: true, ...options }).result()).ids
      const cut = { policy: 'trimkv', budget: 6 } as const
      const ids = await idsOf(cut)
      expect(ids).toHaveLength(8)
      expect(await idsOf(cut)).toEqual(ids)
      expect(await idsOf({ policy: 'trimkv', budget: 64 })).toEqual(await idsOf({ policy: 'full' }))
      expect(model.device.liveTensors()).toBe(before)
    },
  )
})

describe.each(['q8', 'q4'] as const)('scales in %s that are no numbers', (weights) => {
  let whole: string
  beforeAll(async () => {
    whole = join(home, weights)
    await quantiseModel(referenceModelDir, whole, { weights })
  })

  it.each([
    ['NaN', 0x7e00],
    ['+∞', 0x7c00],
    ['−∞', 0xfc00],
    ['NaN of another kind', 0xffff],
  ])('%s: an answer or an error that names the weights', async (_, bits) => {
    for (const place of [/embed_tokens/, /layers\.1\..*down_proj/]) {
      const dir = copyOf(whole)
      await fillScales(join(dir, 'model.safetensors'), place, bits)
      using model = await loadModel(dir, { threads: 2 })
      await answers(model, tries, /NaN[\s\S]*weights are damaged/)
    }
  })
})

describe('weights that cannot be quantised', () => {
  it.each([
    ['q4', 1e6, /at most 524032/],
    ['q8', 1e7, /at most 8319008/],
    ['q8', Number.NaN, /weights are damaged/],
    ['q4', Infinity, /weights are damaged/],
  ] as const)('to %s, %d, are refused by name', async (weights, value, message) => {
    const out = join(home, `never-${copies}`)
    const model = await withWeight(/layers\.1\..*down_proj/, value)
    const { code, stderr } = await run(['convert', model, '--weights', weights, '--out', out])
    expect(stderr).toMatch(/tensor "model\.layers\.1\.mlp\.down_proj\.weight" cannot become/)
    expect(stderr).toMatch(message)
    expect(code).toBe(1)
    expect(readdirSync(out)).toEqual([])
  })
})

describe('configurations', () => {
  const phi3 = goldenPath('phi3-longrope', 'hf')
  const zeros = (json: Json, name: string): Json => {
    const scaling = json.rope_scaling as Record<string, number[]>
    return { ...json, rope_scaling: { ...scaling, [name]: scaling[name]!.map(() => 0) } }
  }
  it.each<[string, string, (json: Json) => Json, RegExp]>([
    ['long rope factors of 0', phi3, (json) => zeros(json, 'long_factor'), /long_factor/],
    ['short rope factors of 0', phi3, (json) => zeros(json, 'short_factor'), /short_factor/],
    [
      'a llama3 rope factor of 0',
      goldenPath('llama', 'hf'),
      (json) => ({ ...json, rope_scaling: { ...(json.rope_scaling as Json), factor: 0 } }),
      /factor/,
    ],
    ['a rope base of 0', goldenPath('qwen3', 'hf'), (json) => ({ ...json, rope_theta: 0 }), /rope_theta/],
    [
      'no layers',
      goldenPath('qwen3', 'hf'),
      (json) => ({ ...json, num_hidden_layers: 0 }),
      /num_hidden_layers/,
    ],
    [
      'no heads',
      goldenPath('qwen3', 'hf'),
      (json) => ({ ...json, num_attention_heads: 0 }),
      /num_attention_heads/,
    ],
    ['no vocabulary', goldenPath('qwen3', 'hf'), (json) => ({ ...json, vocab_size: 0 }), /vocab_size/],
  ])('with %s are refused', async (_, dir, change, field) => {
    const loading = loadModel(withJson(dir, 'config.json', change))
    await expect(loading).rejects.toMatchObject({
      code: 'TRIMKV_CONFIG_INVALID',
      message: expect.stringMatching(field),
    })
  })

  it('of 4096 layers and 2^24 channels cost nothing before they are refused', async () => {
    const huge = {
      num_hidden_layers: 4096,
      hidden_size: 2 ** 24,
      intermediate_size: 2 ** 24,
      vocab_size: 2 ** 24,
    }
    const dir = withJson(goldenPath('qwen3', 'hf'), 'config.json', (json) => ({ ...json, ...huge }))
    const before = process.memoryUsage().rss
    await expect(loadModel(dir)).rejects.toMatchObject({ code: 'TRIMKV_CONFIG_INVALID' })
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
  })
})

describe('texts', () => {
  it('of 100 MB are refused at once, as prompt and on the command line', async () => {
    const text = 'key '.repeat(25_000_000)
    using model = await loadModel(referenceModelDir, { threads: 2 })
    const started = performance.now()
    await expect(generate(model, text).result()).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
    await expect(score(model, text)).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
    expect(performance.now() - started).toBeLessThan(5000)
    const finished = await run(['generate', referenceModelDir], { input: text })
    expect(finished.code).toBe(2)
    expect(finished.stderr).toMatch(/100000000 characters/)
  })

  it('are stopped when the template never ends', async () => {
    const endless = '{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}'
    const dir = copyOf(referenceModelDir)
    writeFileSync(join(dir, 'chat_template.jinja'), endless)
    using model = await loadModel(dir, { threads: 1 })
    const started = performance.now()
    const answer = generate(model, { messages: [{ role: 'user', content: 'x' }] }).result()
    await expect(answer).rejects.toMatchObject({
      code: 'TRIMKV_TEMPLATE',
      message: expect.stringMatching(/2000 ms/),
    })
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  const million = Array.from({ length: 1_000_000 }, (_, i) => `tok${i}`)

  it('are encoded by a tokenizer of a million tokens', async () => {
    const dir = withJson(referenceModelDir, 'tokenizer.json', (json) => {
      const model = json.model as { vocab: Record<string, number> }
      const more = Object.fromEntries(million.map((token, i) => [token, 10_000 + i]))
      return { ...json, model: { ...model, vocab: { ...model.vocab, ...more } } }
    })
    using model = await loadModel(dir, { threads: 1 })
    const started = process.cpuUsage()
    const tokenizer = await model.tokenizer()
    expect(tokenizer.vocabSize).toBe(1_010_000)
    expect(tokenizer.encode('put key barn . '.repeat(100)).length).toBeGreaterThan(100)
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(30)
  }, 300_000)

  it('are not searched for a million added tokens: they are refused', async () => {
    const added_tokens = million.map((content, i) => ({ id: 10_000 + i, content, lstrip: true }))
    const dir = withJson(referenceModelDir, 'tokenizer.json', (json) => ({ ...json, added_tokens }))
    using model = await loadModel(dir, { threads: 1 })
    await expect(model.tokenizer()).rejects.toMatchObject({
      code: 'TRIMKV_UNSUPPORTED',
      message: expect.stringMatching(/added_tokens[\s\S]*at most 16384/),
    })
  })
})
