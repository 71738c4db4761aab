import type { GatesConfig } from '@trimkv/io'
import { type DType, dtypeBytes, elementCount } from '@trimkv/tensor'
import { storedWeights } from './decoder/bind-weights.ts'
import type { DecoderSpec } from './decoder/decoder-spec.ts'
import type { StoredWeight } from './decoder/decoder-weights.ts'
import { uniqueStored } from './decoder/stored-weights.ts'
import { gateWeights, storedGates } from './gates/bind-gates.ts'

/** Size of a model, known from its configuration alone. */
export interface ModelShape {
  /** Numbers in the checkpoint; a tied head counts once. */
  readonly parameters: number
  /** Tensors in the checkpoint. */
  readonly tensors: number
  /** Numbers that a token's keys and values take in all layers and heads. */
  readonly kvElementsPerToken: number
}

const countElements = (weights: readonly StoredWeight[]): number =>
  weights.reduce((sum, { shape }) => sum + elementCount(shape), 0)

/** Counts a model without reading any of its weights. */
export function modelShape(spec: DecoderSpec): ModelShape {
  const stored = uniqueStored(storedWeights(spec))
  return {
    parameters: countElements(stored),
    tensors: stored.length,
    kvElementsPerToken: 2 * spec.layers * spec.kvHeads * spec.headDim,
  }
}

/** Numbers in the gates of a model, all layers. */
export const gateParameters = (
  spec: DecoderSpec,
  gates: Pick<GatesConfig, 'kind' | 'intermediateSize'>,
): number => countElements(gateWeights(storedGates(spec, gates)))

/** What a model's memory depends on. */
export interface MemoryOptions {
  readonly weightDtype: DType
  readonly kvDtype: DType
  /** Slots per layer and KV head: the context length of a full cache, budget plus buffer of a bounded one. */
  readonly slots: number
  /** Sequences at once. */
  readonly batch: number
}

/** Bytes by purpose. */
export interface MemoryEstimate {
  readonly weightBytes: number
  /** Keys, values and the i32 index of every slot; what a policy keeps beside them is not in it. */
  readonly kvBytes: number
}

/** Bytes a model will take, before anything is allocated. */
export function estimateMemory(
  spec: DecoderSpec,
  { weightDtype, kvDtype, slots, batch }: MemoryOptions,
): MemoryEstimate {
  const { parameters, kvElementsPerToken } = modelShape(spec)
  const slotBytes = kvElementsPerToken * dtypeBytes(kvDtype) + spec.layers * spec.kvHeads * dtypeBytes('i32')
  return { weightBytes: parameters * dtypeBytes(weightDtype), kvBytes: batch * slots * slotBytes }
}
