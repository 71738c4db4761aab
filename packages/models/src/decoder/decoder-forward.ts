import type { KvCache } from '@trimkv/cache'
import { fail, type Ops } from '@trimkv/tensor'
import { gateLogBeta, type RetentionGate } from '../gates/retention-gate.ts'
import type { DecoderSpec } from './decoder-spec.ts'
import type { DecoderWeights, LayerWeights } from './decoder-weights.ts'

/** A model as a value: what it is made of, over any kind of tensor. */
export interface Decoder<T> {
  readonly spec: DecoderSpec
  readonly weights: DecoderWeights<T>
  /** One per layer; absent when the model has no retention gates. */
  readonly gates?: readonly RetentionGate<T>[] | undefined
}

/** New tokens of a batch, C of each of B sequences, sequence by sequence: N = B · C rows. */
export interface DecoderInputs<T> {
  /** [N] i32 */
  readonly ids: T
  /** [N] i32, the positions that the rotary embedding uses */
  readonly positions: T
  /** B */
  readonly batch: number
  /** [F, rope.rotaryDim / 2] f32 of `ropeParameters`: one row for all sequences (F = 1) or one each (F = B) */
  readonly invFreq: T
  /** Of `ropeParameters`. */
  readonly ropeScale: number
}

/** One forward: what goes in, what it attends to, what is wanted. */
export interface DecoderRun<T> {
  readonly inputs: DecoderInputs<T>
  readonly cache: KvCache<T>
  /** Rows that get logits: every new token, the last new token of each sequence, or none. */
  readonly logits: 'all' | 'last' | 'none'
  /** Called before the ops of each layer, in order: where a training pass starts a segment. */
  readonly onLayer?: (layer: number) => void
}

/** What a forward gives, f32. */
export interface DecoderResult<T> {
  /** [N, vocab] for 'all', [B, vocab] for 'last' */
  readonly logits?: T
  /** [N, hidden] after the last layer, before the final norm */
  readonly hidden: T
  /** [B, C, kvHeads] per layer; empty unless the cache needs it */
  readonly logBeta: readonly T[]
}

/** A tensor that models can look at: its shape. */
type Shaped = { readonly shape: readonly number[] }

interface LayerContext<T> {
  readonly ops: Ops<T>
  readonly spec: DecoderSpec
  readonly cache: KvCache<T>
  readonly batch: number
  /** [N, rope.rotaryDim] */
  readonly ropeTable: T
}

const rowsOf = (x: Shaped): number => x.shape[0] as number

/** [N, heads · headDim] → [N, heads, headDim], each head normalised. */
function normedHeads<T extends Shaped>({ ops, spec }: LayerContext<T>, flat: T, norm: T | undefined): T {
  const rows = rowsOf(flat)
  const heads = (flat.shape[1] as number) / spec.headDim
  const normed = norm
    ? ops.rmsNorm({ x: ops.reshape(flat, [rows * heads, spec.headDim]), weight: norm }, { eps: spec.normEps })
    : flat
  return ops.reshape(normed, [rows, heads, spec.headDim])
}

const rotated = <T>({ ops, ropeTable }: LayerContext<T>, x: T): T =>
  ops.rope({ x, table: ropeTable }, { inverse: false })

/** Attention of one layer with its residual. */
function attentionBlock<T extends Shaped>(
  context: LayerContext<T>,
  { layer, weights, gate }: { layer: number; weights: LayerWeights<T>; gate: RetentionGate<T> | undefined },
  residual: T,
): { readonly hidden: T; readonly logBeta: T | undefined } {
  const { ops, spec, cache, batch } = context
  const rows = rowsOf(residual)
  const perHead = (x: T, heads: number): T => ops.reshape(x, [batch, rows / batch, heads, spec.headDim])
  const x = ops.rmsNorm({ x: residual, weight: weights.inputNorm }, { eps: spec.normEps })
  const rawQuery = normedHeads(context, ops.linear({ x, ...weights.query }), weights.queryNorm)
  const query = rotated(context, rawQuery)
  const key = rotated(context, normedHeads(context, ops.linear({ x, ...weights.key }), weights.keyNorm))
  const value = ops.reshape(ops.linear({ x, ...weights.value }), [rows, spec.kvHeads, spec.headDim])
  const logBeta =
    gate &&
    ops.reshape(gateLogBeta(ops, gate, { hidden: x, key, value }), [batch, rows / batch, spec.kvHeads])
  const attended = cache.attend(layer, {
    q: perHead(query, spec.heads),
    k: perHead(key, spec.kvHeads),
    v: perHead(value, spec.kvHeads),
    logBeta,
    ...(cache.needs.rawQueries && { rawQueries: perHead(rawQuery, spec.heads) }),
    ...(cache.needs.input && { input: ops.reshape(x, [batch, rows / batch, spec.hiddenSize]) }),
    ...(cache.needs.outputNorm && {
      outputNorm: ops.projectedNorm({ v: perHead(value, spec.kvHeads), weight: weights.output.weight }),
    }),
  })
  const merged = ops.reshape(attended, [rows, spec.heads * spec.headDim])
  return { hidden: ops.linear({ x: merged, ...weights.output, residual }), logBeta }
}

/** SwiGLU MLP of one layer with its residual. */
function mlpBlock<T>(
  ops: Ops<T>,
  weights: LayerWeights<T>,
  { residual, eps }: { residual: T; eps: number },
): T {
  const x = ops.rmsNorm({ x: residual, weight: weights.mlpNorm }, { eps })
  const gate = ops.linear({ x, ...weights.gate })
  const up = ops.linear({ x, ...weights.up })
  return ops.linear({ x: ops.swiglu({ gate, up }), ...weights.down, residual })
}

function gatesFor<T>(model: Decoder<T>, cache: KvCache<T>): readonly RetentionGate<T>[] | undefined {
  if (!cache.needs.logBeta) return undefined
  if (model.gates) return model.gates
  return fail('TRIMKV_GATES_MISMATCH', 'The cache policy needs retention gates, and the model has none', {
    why: ['the policy scores tokens by the retention that trained gates predict'],
    hint: 'load gates trained for this model, or choose a policy that needs none',
  })
}

/** The last new token of each sequence: [N, W] → [B, W]. */
function lastRows<T extends Shaped>(ops: Ops<T>, hidden: T, batch: number): T {
  const [rows, width] = hidden.shape as [number, number]
  const chunk = rows / batch
  const last = ops.slice(ops.reshape(hidden, [batch, chunk, width]), { axis: 1, start: chunk - 1, length: 1 })
  return ops.reshape(last, [batch, width])
}

/**
 * Final norm and output head, for callers that take logits of chosen rows, or chunk by chunk.
 * @param hidden [N, hidden] of {@link decoderForward}, rows may be strided
 * @returns [N, vocab] f32
 */
export function decoderLogits<T>(ops: Ops<T>, { spec, weights }: Decoder<T>, hidden: T): T {
  const x = ops.rmsNorm({ x: hidden, weight: weights.finalNorm }, { eps: spec.normEps })
  return ops.linear({ x, weight: weights.head })
}

/**
 * Runs the new tokens of a batch through a model; the cache decides what they attend to.
 * The code is the same for every kind of `Ops`: eager, recorded, the f64 reference, shapes only.
 * @throws TRIMKV_GATES_MISMATCH when the cache needs log retention and the model has no gates
 * @see HF transformers modeling_qwen3.py, modeling_qwen2.py, modeling_llama.py, modeling_phi3.py
 */
export function decoderForward<T extends Shaped>(
  ops: Ops<T>,
  model: Decoder<T>,
  { inputs, cache, logits, onLayer }: DecoderRun<T>,
): DecoderResult<T> {
  const { spec, weights } = model
  const { ids, positions, invFreq, ropeScale, batch } = inputs
  const gates = gatesFor(model, cache)
  const ropeTable = ops.ropeTable({ positions, invFreq }, { scale: ropeScale })
  const context: LayerContext<T> = { ops, spec, cache, batch, ropeTable }
  const logBetas: T[] = []
  let hidden = ops.embed({ table: weights.embedding, ids })
  for (const [layer, layerWeights] of weights.layers.entries()) {
    onLayer?.(layer)
    const attention = attentionBlock(context, { layer, weights: layerWeights, gate: gates?.[layer] }, hidden)
    if (attention.logBeta !== undefined) logBetas.push(attention.logBeta)
    hidden = mlpBlock(ops, layerWeights, { residual: attention.hidden, eps: spec.normEps })
  }
  const result = { hidden, logBeta: logBetas }
  if (logits === 'none') return result
  const rows = logits === 'last' ? lastRows(ops, hidden, batch) : hidden
  return { ...result, logits: decoderLogits(ops, model, rows) }
}
