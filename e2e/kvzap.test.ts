import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadModel, type Model, trace } from '@trimkv/engine'
import { openSafetensors, readTensorData, writeSafetensors } from '@trimkv/io'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { goldenPath, goldenTensors } from './golden.ts'
import { waveNumbers } from './policy-files.ts'

const units = 12
const window = 6

let folder: string
let model: Model
let ids: number[]
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvzap-'))
  model = await loadModel(goldenPath('qwen3', 'hf'), { threads: 2 })
  ids = await (await goldenTensors('policies-prefill', 'qwen3.safetensors')).ids('input_ids')
})
afterAll(async () => {
  model[Symbol.dispose]()
  await rm(folder, { recursive: true })
})

interface Network {
  readonly weights: readonly Float32Array[]
  readonly biases: readonly Float32Array[]
}

/** Writes a network per layer; layer 1's rates every token `constant`, the others what `scale` makes of random weights. */
async function writeNetworks(
  name: string,
  { hidden, constant }: { readonly hidden: number; readonly constant: number },
): Promise<{ file: string; first: Network }> {
  const { layers, hiddenSize, kvHeads } = model.spec
  const sizes = hidden > 0 ? [hiddenSize, hidden, kvHeads] : [hiddenSize, kvHeads]
  const tensors: Record<string, { dtype: 'f32'; shape: number[]; data: Uint8Array }> = {}
  const add = (tensor: string, shape: number[], data: Float32Array): Float32Array => {
    tensors[tensor] = { dtype: 'f32', shape, data: new Uint8Array(data.buffer) }
    return data
  }
  const networks = Array.from({ length: layers }, (_, layer): Network => {
    const weights: Float32Array[] = []
    const biases: Float32Array[] = []
    for (const [i, from] of sizes.slice(0, -1).entries()) {
      const out = sizes[i + 1]!
      const last = i === sizes.length - 2
      const prefix = `layers.${layer}.${hidden > 0 ? `${2 * i}.` : ''}`
      const weight = layer === 1 && last ? new Float32Array(out * from) : waveNumbers(out * from, layer + i)
      const bias = layer === 1 && last ? new Float32Array(out).fill(constant) : waveNumbers(out, layer - i)
      weights.push(add(`${prefix}weight`, [out, from], weight))
      biases.push(add(`${prefix}bias`, [out], bias))
    }
    return { weights, biases }
  })
  const file = join(folder, `${name}.safetensors`)
  await writeSafetensors(file, tensors)
  return { file, first: networks[0]! }
}

const apply = (weight: Float32Array, bias: Float32Array, x: readonly number[]): number[] =>
  Array.from(bias, (b, row) => x.reduce((sum, value, i) => sum + value * weight[row * x.length + i]!, b))

/** Φ(x) by summing the density: slow, and nothing like the kernel. */
function normalBelow(x: number): number {
  const step = 1e-3
  let sum = 0
  for (let at = step / 2; at < Math.abs(x); at += step)
    sum += Math.min(step, Math.abs(x) - at + step / 2) * Math.exp((-at * at) / 2)
  return 0.5 + (Math.sign(x) * sum) / Math.sqrt(2 * Math.PI)
}

/** What the first layer's network says of each token [token][head]: its input is the normed embedding. */
async function firstScores({ weights, biases }: Network): Promise<number[][]> {
  const { tensors } = await openSafetensors(goldenPath('qwen3', 'hf', 'model.safetensors'))
  const embedding = await readTensorData(tensors.get('model.embed_tokens.weight')!)
  const norm = await readTensorData(tensors.get('model.layers.0.input_layernorm.weight')!)
  const { hiddenSize: W, normEps } = model.spec
  return ids.map((id) => {
    const row = Array.from(embedding.subarray(id * W, (id + 1) * W))
    const mean = row.reduce((sum, x) => sum + x * x, 0) / W
    let x = row.map((value, i) => (value / Math.sqrt(mean + normEps)) * norm[i]!)
    for (const [i, weight] of weights.entries()) {
      x = apply(weight, biases[i]!, x)
      if (i < weights.length - 1) x = x.map((value) => value * normalBelow(value))
    }
    return x
  })
}

/** A threshold between two ratings that lie apart, near the middle. */
function middleGap(scores: readonly number[][]): number {
  const sorted = scores.flat().toSorted((a, b) => a - b)
  const from = Math.floor(sorted.length / 3)
  const gaps = sorted.slice(from, 2 * from).map((score, i) => ({ score, gap: sorted[from + i + 1]! - score }))
  const widest = gaps.reduce((best, at) => (at.gap > best.gap ? at : best))
  return widest.score + widest.gap / 2
}

describe.each([
  { kind: 'a hidden layer', hidden: units },
  { kind: 'linear networks', hidden: 0 },
])('kvzap with $kind', ({ kind, hidden }) => {
  it.each(['prefill', 'decode'])(
    'when=%s keeps what is rated above the threshold, and new tokens',
    async (when) => {
      const { file, first } = await writeNetworks(kind, { hidden, constant: 1 })
      const scores = await firstScores(first)
      const threshold = middleGap(scores)
      const policy = `kvzap:weights=${file},units=${hidden},threshold=${threshold},window=${window},when=${when}`
      const budget = ids.length + 20
      const { kept, report } = await trace(model, ids, { policy, budget, buffer: 1, chunk: 0, steps: 1 })
      const { kvHeads } = model.spec
      const expected = Array.from({ length: kvHeads }, (_, head) =>
        ids.flatMap((_, i) => (scores[i]![head]! >= threshold || i >= ids.length - window ? [i] : [])),
      )
      expect(kept[0]![0]).toEqual(expected)
      expect(report.meter.evictions).toBeGreaterThan(0)
      const everything = ids.map((_, i) => i)
      const newest = everything.slice(-window)
      expect(kept[0]![1]).toEqual(new Array(kvHeads).fill(threshold <= 1 ? everything : newest))
    },
  )

  it('drops in each layer what its own network says, while tokens come', async () => {
    const { file } = await writeNetworks(`${kind}-low`, { hidden, constant: -5 })
    const policy = `kvzap:weights=${file},units=${hidden},threshold=-4.5,window=${window}`
    const budget = ids.length + 20
    const { kept } = await trace(model, ids, { policy, budget, exact: true, steps: 4 })
    for (const [step, layers] of kept.entries()) {
      const seen = ids.length + step
      const newest = Array.from({ length: window }, (_, i) => seen - window + i)
      for (const head of layers[1]!) expect(head).toEqual(newest)
    }
  })

  it('never keeps more than the budget', async () => {
    const { file } = await writeNetworks(`${kind}-budget`, { hidden, constant: 100 })
    const policy = `kvzap:weights=${file},units=${hidden},threshold=-1e9,window=2`
    const { kept } = await trace(model, ids, { policy, budget: 10, exact: true, steps: 3 })
    const { layers, kvHeads } = model.spec
    for (const sets of kept) {
      expect(sets.flat(2)).toHaveLength(10 * layers * kvHeads)
      // All of layer 1 is rated above everything else, so that its heads keep all they have.
      for (const head of sets[1]!) expect(head.length).toBeGreaterThan(10)
    }
  })
})

it('refuses networks of another model', async () => {
  const { file } = await writeNetworks('other', { hidden: units, constant: 0 })
  const policy = `kvzap:weights=${file},units=${units + 1},window=2`
  await expect(trace(model, ids, { policy, budget: 10, steps: 1 })).rejects.toMatchObject({
    code: 'TRIMKV_WEIGHTS_MISMATCH',
  })
})
