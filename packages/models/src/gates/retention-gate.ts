import type { GateKind } from '@trimkv/io'
import type { Ops } from '@trimkv/tensor'
import { mapProjection, type Projection, type StoredWeight } from '../decoder/decoder-weights.ts'

/**
 * One layer's retention gate: from each new token to `z [kvHeads]`; the token's log retention is
 * `log sigmoid(z + bias)`. `W` is where a weight is stored or the tensor itself.
 */
export interface RetentionGate<W> {
  /** What the gate reads: the hidden state after the input norm, or the token's rotated keys and its values. */
  readonly input: 'hidden' | 'key-value'
  readonly body:
    | { readonly kind: 'mlp'; readonly hidden: readonly Projection<W>[]; readonly output: W }
    | { readonly kind: 'swiglu'; readonly gate: W; readonly up: W; readonly down: W }
  /** [kvHeads] */
  readonly bias: W
}

/** Sizes that fix the shapes of a gate. */
interface GateSizes {
  readonly hiddenSize: number
  readonly kvHeads: number
  readonly headDim: number
  /** Hidden units of the gate. */
  readonly gateSize: number
}

/** From sizes to the stored weights of one layer's gate. */
export type GateMap = (sizes: GateSizes, prefix: string) => RetentionGate<StoredWeight>

const inputSize = (input: RetentionGate<unknown>['input'], sizes: GateSizes): number =>
  input === 'hidden' ? sizes.hiddenSize : 2 * sizes.headDim * sizes.kvHeads

/** `hiddenLayers` linear maps with bias and activation, then one without bias. */
function mlpGate(input: RetentionGate<unknown>['input'], hiddenLayers: number): GateMap {
  return (sizes, prefix) => {
    const { gateSize, kvHeads } = sizes
    const hidden = Array.from({ length: hiddenLayers }, (_, i) => ({
      weight: {
        name: `${prefix}linear${i + 1}.weight`,
        shape: [gateSize, i === 0 ? inputSize(input, sizes) : gateSize],
      },
      bias: { name: `${prefix}linear${i + 1}.bias`, shape: [gateSize] },
    }))
    const output = { name: `${prefix}linear${hiddenLayers + 1}.weight`, shape: [kvHeads, gateSize] }
    return { input, body: { kind: 'mlp', hidden, output }, bias: { name: `${prefix}bias`, shape: [kvHeads] } }
  }
}

const swigluGate: GateMap = (sizes, prefix) => {
  const { gateSize, kvHeads } = sizes
  const width = inputSize('key-value', sizes)
  return {
    input: 'key-value',
    body: {
      kind: 'swiglu',
      gate: { name: `${prefix}gate_proj.weight`, shape: [gateSize, width] },
      up: { name: `${prefix}up_proj.weight`, shape: [gateSize, width] },
      down: { name: `${prefix}down_proj.weight`, shape: [kvHeads, gateSize] },
    },
    bias: { name: `${prefix}bias`, shape: [kvHeads] },
  }
}

/**
 * Where the weights of each published kind of gate are stored; `prefix` ends with a dot.
 * @see TRIM-KV (arXiv:2512.03324) §3; DBTrimKV (arXiv:2605.09649) for `rg10`
 */
export const gateMaps: Readonly<Record<GateKind, GateMap>> = {
  rg: mlpGate('hidden', 1),
  rg2: mlpGate('key-value', 1),
  rg3: swigluGate,
  rg10: mlpGate('hidden', 2),
}

/** The same gate holding something else. */
export function mapGate<A, B>(gate: RetentionGate<A>, map: (weight: A) => B): RetentionGate<B> {
  const { input, body, bias } = gate
  if (body.kind === 'swiglu') {
    const { gate: gateWeight, up, down } = body
    return {
      input,
      body: { kind: 'swiglu', gate: map(gateWeight), up: map(up), down: map(down) },
      bias: map(bias),
    }
  }
  const hidden = body.hidden.map((layer) => mapProjection(layer, map))
  return { input, body: { kind: 'mlp', hidden, output: map(body.output) }, bias: map(bias) }
}

/** What a gate may read of the new tokens. */
export interface GateInputs<T> {
  /** [N, hidden] after the input norm */
  readonly hidden: T
  /** [N, kvHeads, headDim] rotated */
  readonly key: T
  /** [N, kvHeads, headDim] */
  readonly value: T
}

function gateInput<T extends { readonly shape: readonly number[] }>(
  ops: Ops<T>,
  gate: RetentionGate<T>,
  { hidden, key, value }: GateInputs<T>,
): T {
  if (gate.input === 'hidden') return hidden
  const [rows, heads, size] = key.shape as [number, number, number]
  return ops.reshape(ops.concatLast({ a: key, b: value }), [rows, heads * size * 2])
}

/**
 * Log retention of new tokens: `log sigmoid(z + bias)` per KV head, where a token's importance at age `a` is `a` times it.
 * @returns [N, kvHeads] f32, ≤ 0
 */
export function gateLogBeta<T extends { readonly shape: readonly number[] }>(
  ops: Ops<T>,
  gate: RetentionGate<T>,
  inputs: GateInputs<T>,
): T {
  const { body, bias } = gate
  let x = gateInput(ops, gate, inputs)
  if (body.kind === 'swiglu') {
    const inner = ops.swiglu({
      gate: ops.linear({ x, weight: body.gate }),
      up: ops.linear({ x, weight: body.up }),
    })
    return ops.logSigmoid({ x: ops.linear({ x: inner, weight: body.down }), bias })
  }
  for (const layer of body.hidden) x = ops.silu({ x: ops.linear({ x, ...layer }) })
  return ops.logSigmoid({ x: ops.linear({ x, weight: body.output }), bias })
}
