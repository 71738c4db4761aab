import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadModel, trace } from '@trimkv/engine'
import { openGguf, openModelFolder, readStored, writeModel } from '@trimkv/io'
import { type GgufFormat, type ModelVariant, randomModel, relativeError } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { run } from './command-line.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-convert-gguf-'))
afterAll(() => rmSync(folder, { recursive: true }))

const shape = { layers: 2, width: 128, heads: 4, kvHeads: 2, headDim: 32, hidden: 256, vocab: 500 }
const ids = Array.from({ length: 48 }, (_, i) => (i * i * 7 + i * 37 + 11) % shape.vocab)

async function logitsOf(path: string): Promise<{ readonly data: Float32Array; readonly readBytes: number }> {
  using model = await loadModel(path)
  const { tensors } = await trace(model, ids, { policy: 'full', steps: 1, tensors: true })
  return { data: tensors.get('prefill_logits')!.data as Float32Array, readBytes: model.readBytes }
}

const convert = (model: string, weights: string, out: string) =>
  run(['convert', model, '--weights', weights, '--out', out, '--json'])

/** The same model as a folder and as a GGUF file. */
async function makeModel(variant: ModelVariant, format: GgufFormat, turnEnds: readonly number[] = []) {
  const dir = mkdtempSync(join(folder, 'model-'))
  const model = randomModel({ variant, shape, contextLength: 512, turnEnds }, 5)
  const [plain, gguf, out] = ['plain', 'model.gguf', 'out'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ]
  await writeModel(plain, { config: model.config, tensors: model.tensors, files: {} })
  await model.writeGguf(gguf, format)
  return { dir, plain, gguf, out }
}

/** Bytes of all weights by name. */
async function weightsOf(path: string): Promise<Record<string, string>> {
  const { weights } = await openModelFolder(path)
  const read = [...weights.tensors.values()].map(async (entry) => {
    return [entry.name, Buffer.from(await readStored(entry)).toString('base64')] as const
  })
  return Object.fromEntries(await Promise.all(read))
}

const families: readonly ModelVariant[] = [
  { family: 'qwen3' },
  { family: 'qwen2' },
  { family: 'llama' },
  { family: 'phi3', rope: { kind: 'longrope', originalLength: 256, rotaryDim: 24 } },
]

describe.each(families)('convert of a GGUF file of $family', (variant) => {
  it.each(['q8', 'q4'] as const)('in F32 to %s writes what the folder becomes', async (weights) => {
    const { dir, plain, gguf, out } = await makeModel(variant, 'F32')
    expect((await convert(gguf, weights, out)).code).toBe(0)
    const other = join(dir, 'other')
    expect((await convert(plain, weights, other)).code).toBe(0)
    expect(await weightsOf(out)).toEqual(await weightsOf(other))
    const [ours, theirs, exact] = [await logitsOf(out), await logitsOf(other), await logitsOf(plain)]
    expect(ours.readBytes).toBe(0)
    expect(relativeError(ours.data, theirs.data)).toBeLessThanOrEqual(1e-6)
    const error = relativeError(ours.data, exact.data)
    expect(error).toBeLessThanOrEqual(weights === 'q8' ? 0.03 : 0.35)
    expect(error).toBeGreaterThan(1e-3)
  })

  it.each([
    ['Q8_0', 'q8'],
    ['Q4_0', 'q4'],
  ] as const)('in %s to %s keeps every value', async (format, weights) => {
    const { gguf, out } = await makeModel(variant, format)
    const { code, stdout } = await convert(gguf, weights, out)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ weights, kept: [] })
    const [before, after] = [await logitsOf(gguf), await logitsOf(out)]
    expect(before.readBytes).toBeGreaterThan(0)
    expect(after.readBytes).toBe(0)
    expect(after.data).toEqual(before.data)
  })
})

describe('convert of a GGUF file', () => {
  it('takes its tokenizer along', async () => {
    const { gguf, out } = await makeModel({ family: 'qwen3' }, 'F16')
    expect((await convert(gguf, 'q8', out)).code).toBe(0)
    expect(readdirSync(out).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    const facts = JSON.parse((await run(['inspect', out, '--json'])).stdout)
    expect(facts).toMatchObject({ kind: 'model', dtypes: ['q8', 'F32'], tokenizer: shape.vocab })
    const [theirs, ours] = [await openGguf(gguf), await openModelFolder(out)]
    expect(ours.endIds).toEqual(theirs.endIds)
    const text = 'naïve abba'
    const read = (await ours.tokenizer()).encode(text)
    expect(read).toEqual((await theirs.tokenizer()).encode(text))
    // One token for ab, which is merged, and one for every other byte.
    expect(read.length).toBe(Buffer.byteLength(text) - 1)
    expect((await ours.tokenizer()).decode(read)).toBe(text)
  })

  it.each([
    [[7], [2, 7]],
    [
      [7, 9],
      [2, 7, 9],
    ],
    [[], [2]],
  ])('keeps the tokens that end a turn, %j', async (turnEnds, endIds) => {
    const { gguf, out } = await makeModel({ family: 'llama' }, 'F16', turnEnds)
    expect((await openGguf(gguf)).endIds).toEqual(endIds)
    expect((await convert(gguf, 'q8', out)).code).toBe(0)
    expect((await openModelFolder(out)).endIds).toEqual(endIds)
    using model = await loadModel(out)
    expect([...model.endIds]).toEqual(endIds)
  })

  it('refuses blocks of another format, and leaves nothing', async () => {
    const { gguf, out } = await makeModel({ family: 'qwen3' }, 'Q8_0')
    mkdirSync(out)
    const { code, stderr } = await convert(gguf, 'q4', out)
    expect(code).toBeGreaterThan(0)
    expect(stderr).toMatch(/cannot become q4[\s\S]*got Q8_0|got q8/)
    expect(readdirSync(out)).toEqual([])
  })
})
