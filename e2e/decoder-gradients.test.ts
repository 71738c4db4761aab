import { createTape } from '@trimkv/autograd'
import { type GradcheckOptions, gradcheck } from '@trimkv/autograd/testing'
import type { KvCache } from '@trimkv/cache'
import type { GateKind, ModelConfig } from '@trimkv/io'
import {
  type Decoder,
  decoderForward,
  mapGate,
  mapWeights,
  ropeParameters,
  specOf,
  storedGates,
} from '@trimkv/models'
import {
  createDevice,
  elementCount,
  type Ops,
  refTensor,
  type Tensor,
  type TensorLike,
  type TensorSpec,
} from '@trimkv/tensor'
import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'

const config = (changes: Partial<ModelConfig> = {}): ModelConfig => ({
  family: 'qwen3',
  hiddenSize: 6,
  intermediateSize: 7,
  numLayers: 2,
  numHeads: 4,
  numKvHeads: 2,
  headDim: 4,
  vocabSize: 9,
  maxPositions: 64,
  rmsNormEps: 1e-6,
  hiddenAct: 'silu',
  tieWordEmbeddings: false,
  attentionBias: { q: false, k: false, v: false, o: false },
  mlpBias: false,
  qkNorm: true,
  rope: { kind: 'plain', theta: 100, rotaryDim: 4 },
  eosTokenIds: [],
  bosTokenId: undefined,
  padTokenId: undefined,
  raw: {},
  ...changes,
})

const small = config()
const large = config({ hiddenSize: 64, intermediateSize: 160, numLayers: 8, headDim: 16, vocabSize: 97 })
const [batch, gateUnits] = [2, 5] as const

type Make<T> = (values: ArrayLike<number>, spec: TensorSpec) => T

/** A gated decoder with random weights, and all of them by role. */
function randomDecoder<T>(make: Make<T>, config: ModelConfig, kind: GateKind) {
  const random = seededRandom(7)
  const normal = (scale: number, shape: readonly number[]): T =>
    make(
      Float64Array.from({ length: elementCount(shape) }, () => scale * random.normal()),
      { dtype: 'f32', shape },
    )
  const weights: Record<string, T> = {}
  const gates: Record<string, T> = {}
  const spec = specOf(config)
  const draw = (into: Record<string, T>) => (stored: { name: string; shape: readonly number[] }) => {
    const tensor = normal(stored.shape.length === 1 ? 1 : 1.5 / Math.sqrt(stored.shape[1]!), stored.shape)
    into[stored.name] = tensor
    return tensor
  }
  const model: Decoder<T> = {
    spec,
    weights: mapWeights(spec.stored, draw(weights)),
    gates: storedGates(spec, { kind, intermediateSize: gateUnits }).map((gate) => mapGate(gate, draw(gates))),
  }
  return { model, weights, gates }
}

/** Attention over the whole row, as in training: two documents in each. */
function trainingPass<T extends TensorLike>(make: Make<T>, model: Decoder<T>, length: number) {
  const { invFreq, scale: ropeScale } = ropeParameters(model.spec.rope, length)
  const integers = (of: (n: number) => number, ...shape: number[]): T =>
    make(
      Int32Array.from({ length: batch * length }, (_, n) => of(n)),
      { dtype: 'i32', shape },
    )
  const second = length >> 1
  const start = integers((n) => (n % length < second ? 0 : second), batch, length)
  const inputs = {
    ids: integers((n) => (n * 5 + 1) % model.spec.vocabSize, batch * length),
    positions: integers((n) => (n % length) - (n % length < second ? 0 : second), batch * length),
    batch,
    invFreq: make(invFreq, { dtype: 'f32', shape: [1, invFreq.length] }),
    ropeScale,
  }
  const targets = integers((n) => (n * 3 + 2) % model.spec.vocabSize, batch * length)
  const scale = 1 / Math.sqrt(model.spec.headDim)
  return (ops: Ops<T>, segment: () => void): T[] => {
    const cache: KvCache<T> = {
      needs: { logBeta: true },
      attend: (_, { q, k, v, logBeta }) => ops.gatedAttention({ q, k, v, logBeta, start }, { scale }).out,
    }
    const { logits, logBeta } = decoderForward(ops, model, { inputs, cache, logits: 'all', onLayer: segment })
    const { ce } = ops.lmLoss({ logits: logits!, targets }, { kl: 'forward' })
    return [ce, ...logBeta.map((one) => ops.occupancy({ logBeta: one, start }))]
  }
}

describe('a decoder of two layers', () => {
  const gatesAgainstDifferences = (kind: GateKind, options: Partial<GradcheckOptions> = {}) => {
    const { model, gates } = randomDecoder(refTensor, small, kind)
    const pass = trainingPass(refTensor, model, 5)
    return gradcheck({ wrt: gates, run: ({ ops, segment }) => pass(ops, segment), ...options })
  }

  it.each(['rg', 'rg2', 'rg3', 'rg10'] as const)('has the gradients of its %s gates', (kind) => {
    expect(gatesAgainstDifferences(kind)).toEqual([])
  })

  it('has the same gradients with layers computed again', () => {
    expect(gatesAgainstDifferences('rg', { recompute: true })).toEqual([])
  })

  it.each([
    ['qwen3', small],
    [
      'qwen2',
      config({ family: 'qwen2', qkNorm: false, attentionBias: { q: true, k: true, v: true, o: false } }),
    ],
    ['llama with a tied head', config({ family: 'llama', qkNorm: false, tieWordEmbeddings: true })],
  ])('has the gradients of all weights: %s', (_, config) => {
    const { model, weights } = randomDecoder(refTensor, config, 'rg')
    const pass = trainingPass(refTensor, model, 4)
    expect(gradcheck({ wrt: weights, run: ({ ops, segment }) => pass(ops, segment) })).toEqual([])
  })
})

describe('a recorded training pass of eight layers', () => {
  const device = createDevice({ threads: 2 })
  afterAll(() => device[Symbol.dispose]())
  const make: Make<Tensor> = (values, spec) => device.tensor(values, spec)

  it.each(['gates', 'weights'] as const)(
    'takes less memory with layers computed again, and gives the same bits: %s',
    (learned) => {
      const decoder = randomDecoder(make, large, 'rg')
      const wrt = Object.values(decoder[learned])
      const gradientBytes = wrt.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0)
      const pass = trainingPass(make, decoder.model, 160)
      const [kept, again] = [false, true].map((recompute) => {
        using program = device.record((ops) => {
          const tape = createTape(ops, { wrt, recompute })
          return tape.backward(pass(tape.ops, tape.segment).map((tensor) => ({ tensor, grad: tensor })))
        })
        program.runSync()
        return { bytes: program.bytes - gradientBytes, gradients: program.result.map((grad) => grad!.read()) }
      })
      expect(again!.gradients).toEqual(kept!.gradients)
      expect(again!.bytes).toBeLessThan(kept!.bytes / 3)
    },
  )
})
