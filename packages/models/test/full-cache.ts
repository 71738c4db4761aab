import type { KvCache } from '@trimkv/cache'
import type { TensorLike } from '@trimkv/tensor'
import type { DecoderSpec } from '../src/index.ts'
import type { TestBackend } from './test-backend.ts'

export interface FullCacheOptions {
  readonly spec: DecoderSpec
  readonly batch: number
  /** Most tokens per sequence. */
  readonly capacity: number
  readonly needsLogBeta?: boolean
}

/** A cache that keeps every token. */
export function fullCache<T extends TensorLike>(
  backend: TestBackend<T>,
  options: FullCacheOptions,
): KvCache<T> {
  const { ops } = backend
  const { batch: B, capacity, spec } = options
  const { kvHeads: H, headDim: D } = spec
  const layers = Array.from({ length: spec.layers }, () => ({
    keys: ops.zeros({ dtype: 'f32', shape: [B, H, capacity, D] }),
    values: ops.zeros({ dtype: 'f32', shape: [B, H, capacity, D] }),
    slotIndex: ops.zeros({ dtype: 'i32', shape: [B, H, capacity] }),
    count: ops.zeros({ dtype: 'i32', shape: [B, H] }),
  }))
  const seen = layers.map(() => 0)
  return {
    needs: { logBeta: options.needsLogBeta ?? false },
    attend(layer, { q, k, v }) {
      const { keys, values, slotIndex, count } = layers[layer]!
      const C = q.shape[1]!
      const index = Array.from({ length: B * C }, (_, n) => seen[layer]! + (n % C))
      seen[layer]! += C
      ops.kvAppend({
        k,
        v,
        index: backend.tensor(index, { dtype: 'i32', shape: [B, C] }),
        keys,
        values,
        slotIndex,
        count,
      })
      return ops.attention({ q, keys, values, count }, { scale: 1 / Math.sqrt(D) })
    },
  }
}
