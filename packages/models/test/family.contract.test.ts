import type { ModelFamily } from '@trimkv/io'
import { elementCount, type RefTensor, refTensor } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import { storedWeights } from '../src/decoder/bind-weights.ts'
import {
  bindWeights,
  type Decoder,
  type DecoderSpec,
  type DecoderWeights,
  families,
  mapWeights,
  specFromTraits,
  specOf,
} from '../src/index.ts'
import { fullCache } from './full-cache.ts'
import { runDecoder } from './run-decoder.ts'
import { referenceTestBackend } from './test-backend.ts'
import { tinyConfig } from './tiny-config.ts'

const allBiases = { attentionBias: { q: true, k: true, v: true, o: true }, mlpBias: true }

/** A family nobody ships: head norms over fused projections, and only half of a head rotated. */
const outsider = specFromTraits(
  tinyConfig('phi3', { rope: { kind: 'plain', theta: 100, rotaryDim: 4 }, tieWordEmbeddings: true }),
  { headNorm: 'query-key', attentionBias: 'none', mlpBias: 'none', projections: 'fused' },
)

const specs: [string, DecoderSpec][] = [
  ...(Object.keys(families) as ModelFamily[]).flatMap((family): [string, DecoderSpec][] => [
    [family, specOf(tinyConfig(family))],
    [`${family}, tied`, specOf(tinyConfig(family, { tieWordEmbeddings: true }))],
  ]),
  ['qwen3 with biases', specOf(tinyConfig('qwen3', allBiases))],
  ['llama with biases', specOf(tinyConfig('llama', allBiases))],
  ['a family outside the table', outsider],
]

const backend = referenceTestBackend()
const ids = [Int32Array.of(3, 1, 4, 15)]

/** Numbers without a pattern, the same for the same name. */
const scrambled = (index: number, seed: number): number => Math.sin(index * 12.9898 + seed * 78.233)

function loadScrambled(entry: { shape: readonly number[] }, name: string): RefTensor {
  const values = Float64Array.from({ length: elementCount(entry.shape) }, (_, i) => scrambled(i, name.length))
  return refTensor(values, { dtype: 'f32', shape: entry.shape })
}

function scrambledWeights(spec: DecoderSpec): DecoderWeights<RefTensor> {
  const stored = storedWeights(spec).map(({ name, shape }) => [name, { dtype: 'f32', shape }] as const)
  return bindWeights(spec, new Map(stored), { ops: backend.ops, load: loadScrambled })
}

function logitsOf(model: Decoder<RefTensor>): ArrayLike<number> {
  const cache = fullCache(backend, { spec: model.spec, batch: 1, capacity: 4 })
  return backend.read(runDecoder(backend, model, { ids, start: 0, totalLengths: [4], cache }).logits!)
}

/** The same weights with that of one role, counted in the order of the forward pass, somewhat changed. */
function withRoleChanged(weights: DecoderWeights<RefTensor>, role: number): DecoderWeights<RefTensor> {
  let visited = 0
  return mapWeights(weights, (weight) => {
    if (visited++ !== role) return weight
    return refTensor(
      weight.toArray().map((x, i) => x + 0.1 * scrambled(i, 5)),
      weight,
    )
  })
}

describe.each(specs)('the weights of %s', (_, spec) => {
  it('cover every row of every stored tensor once', () => {
    const isTied = spec.stored.head === spec.stored.embedding
    const used = new Map<string, number[]>()
    for (const { name, shape, rows } of isTied ? storedWeights(spec).slice(0, -1) : storedWeights(spec)) {
      const counts = used.get(name) ?? Array<number>(shape[0]!).fill(0)
      const { start, length } = rows ?? { start: 0, length: shape[0]! }
      for (let row = start; row < start + length; row++) counts[row]!++
      used.set(name, counts)
    }
    for (const [name, counts] of used) expect([name, counts]).toEqual([name, counts.map(() => 1)])
  })

  it('all matter to the logits', () => {
    const weights = scrambledWeights(spec)
    const logits = logitsOf({ spec, weights })
    for (const [role, { name }] of storedWeights(spec).entries()) {
      const changed = logitsOf({ spec, weights: withRoleChanged(weights, role) })
      expect(changed, `${name}, role ${role}`).not.toEqual(logits)
    }
  })
})
