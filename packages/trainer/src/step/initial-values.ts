import type { GateKind } from '@trimkv/io'
import {
  type DecoderSpec,
  type DecoderWeights,
  mapGate,
  mapWeights,
  type RetentionGate,
  type StoredWeight,
  storedGates,
} from '@trimkv/models'
import { type Device, elementCount, fail, type Tensor } from '@trimkv/tensor'
import type { LearnedWeight } from './create-trainable.ts'
import { gaussian } from './gaussian.ts'

/** New tensors of a decoder or its gates, and the same ones by name. */
export interface InitialValues<V> {
  readonly values: V
  readonly learned: readonly LearnedWeight[]
}

/** How gates begin. */
export interface InitialGates {
  readonly kind: GateKind
  /** Hidden units of a gate. */
  readonly intermediateSize: number
  /** b of `log sigmoid(z + b)`: 18 in the released recipes, β ≈ 1 − 1.5e-8. */
  readonly bias: number
  /** Standard deviation of matrices: the model's `initializer_range`. */
  readonly std: number
  readonly seed: number
}

/**
 * Gates as training starts from them: matrices N(0, std²), hidden biases 0, output biases b.
 * @see the released code of TRIM-KV (arXiv:2512.03324), `_init_weights`
 */
export function initialGates(
  device: Device,
  spec: DecoderSpec,
  { kind, intermediateSize, bias, std, seed }: InitialGates,
): InitialValues<RetentionGate<Tensor>[]> {
  const make = tensorMaker(device, (stored) => {
    if (stored.shape.length > 1) return gaussian(`${seed}/${stored.name}`, stored.shape, std)
    const isOutputBias = stored.name.endsWith('retention_gate.bias')
    return new Float32Array(elementCount(stored.shape)).fill(isOutputBias ? bias : 0)
  })
  const values = storedGates(spec, { kind, intermediateSize }).map((gate) => mapGate(gate, make.tensor))
  return { values, learned: make.learned }
}

/** How the weights of a small model begin. */
export interface InitialWeights {
  /** Standard deviation of matrices. */
  readonly std: number
  /** Standard deviation of the two projections that write into the residual stream; that of the others unless given. */
  readonly residualStd?: number
  /** Gains of the norms of query and key heads; 1 unless given. */
  readonly headNormGain?: number
  readonly seed: number
}

/**
 * A decoder as training from scratch starts from it: matrices N(0, std²), norms 1, biases 0.
 * @throws TRIMKV_UNSUPPORTED for a family that stores several projections in one tensor
 */
export function initialWeights(
  device: Device,
  spec: DecoderSpec,
  { std, residualStd = std, headNormGain = 1, seed }: InitialWeights,
): InitialValues<DecoderWeights<Tensor>> {
  const make = tensorMaker(device, ({ name, shape, rows }) => {
    if (rows) {
      fail('TRIMKV_UNSUPPORTED', `${name} holds several weights, and weights are trained one by one`, {
        hint: 'train a family with separate projections, such as qwen3',
      })
    }
    const writes = /(o_proj|down_proj)\.weight$/.test(name)
    if (shape.length > 1) return gaussian(`${seed}/${name}`, shape, writes ? residualStd : std)
    const gain = /[qk]_norm\.weight$/.test(name) ? headNormGain : 1
    return new Float32Array(elementCount(shape)).fill(name.endsWith('.bias') ? 0 : gain)
  })
  return { values: mapWeights(spec.stored, make.tensor), learned: make.learned }
}

/** Makes each stored tensor once. */
function tensorMaker(device: Device, valuesOf: (stored: StoredWeight) => Float32Array) {
  const made = new Map<string, Tensor>()
  const learned: LearnedWeight[] = []
  return {
    learned,
    tensor: (stored: StoredWeight): Tensor => {
      const { name, shape } = stored
      const known = made.get(name)
      if (known) return known
      const tensor = device.tensor(valuesOf(stored), { dtype: 'f32', shape })
      made.set(name, tensor)
      learned.push({ name, tensor })
      return tensor
    },
  }
}
