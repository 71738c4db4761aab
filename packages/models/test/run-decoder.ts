import type { KvCache } from '@trimkv/cache'
import type { TensorLike } from '@trimkv/tensor'
import {
  type Decoder,
  type DecoderResult,
  type DecoderRun,
  decoderForward,
  ropeParameters,
} from '../src/index.ts'
import type { TestBackend } from './test-backend.ts'

export interface Chunk<T> {
  /** New tokens of each sequence, as many for each. */
  readonly ids: readonly ArrayLike<number>[]
  /** Position of the first of them. */
  readonly start: number
  /** Tokens each sequence will have in the end. */
  readonly totalLengths: readonly number[]
  readonly cache: KvCache<T>
  readonly logits?: DecoderRun<T>['logits']
  readonly onLayer?: (layer: number) => void
}

/** Runs one chunk; every sequence has a row of rotary frequencies of its own. */
export function runDecoder<T extends TensorLike>(
  backend: TestBackend<T>,
  model: Decoder<T>,
  { ids, start, totalLengths, cache, logits = 'all', onLayer }: Chunk<T>,
): DecoderResult<T> {
  const batch = ids.length
  const count = ids[0]!.length
  const ropes = totalLengths.map((length) => ropeParameters(model.spec.rope, length))
  const half = ropes[0]!.invFreq.length
  const flatIds = ids.flatMap((sequence) => Array.from(sequence))
  const flatPositions = flatIds.map((_, n) => start + (n % count))
  const inputs = {
    ids: backend.tensor(flatIds, { dtype: 'i32', shape: [batch * count] }),
    positions: backend.tensor(flatPositions, { dtype: 'i32', shape: [batch * count] }),
    batch,
    invFreq: backend.tensor(
      ropes.flatMap(({ invFreq }) => [...invFreq]),
      { dtype: 'f32', shape: [ropes.length, half] },
    ),
    ropeScale: ropes[0]!.scale,
  }
  return decoderForward(backend.ops, model, { inputs, cache, logits, ...(onLayer && { onLayer }) })
}
