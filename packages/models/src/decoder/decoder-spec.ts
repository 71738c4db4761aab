import type { RopeConfig } from '@trimkv/io'
import type { DecoderWeights, StoredWeight } from './decoder-weights.ts'

/**
 * Everything known about a model before any of its weights is read.
 * One pre-norm decoder with rotary, grouped-query attention and a SwiGLU MLP; what differs between families is data.
 */
export interface DecoderSpec {
  /** Name of the family, for messages. */
  readonly family: string
  readonly layers: number
  readonly vocabSize: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly heads: number
  /** Divides `heads`. */
  readonly kvHeads: number
  readonly headDim: number
  readonly normEps: number
  readonly rope: RopeConfig
  /** Longest sequence the model was made for, in tokens. */
  readonly maxLength: number
  /** By role: where each weight is stored in a checkpoint, and its shape. */
  readonly stored: DecoderWeights<StoredWeight>
}
