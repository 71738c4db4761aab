import { type DType, type Ops, type RefTensor, referenceOps, type TensorLike } from '@trimkv/tensor'
import type { CacheShape } from '../cache-shape.ts'
import type { KvArena } from '../kv-arena.ts'
import type { StepPlan, StepRequest } from '../step-plan.ts'
import type { Storage } from '../storage.ts'
import { referenceStorage } from './reference-storage.ts'
import { rotateHeads, testFrequencies } from './test-rotary.ts'
import type { TokenSource } from './token-source.ts'

/** Where caches under test live. */
export interface TestBackend<T extends TensorLike> {
  readonly storage: Storage<T>
  /** Eager ops. */
  readonly ops: Ops<T>
}

/** The f64 reference: needs no addon. */
export const referenceTestBackend = (): TestBackend<RefTensor> => ({
  storage: referenceStorage(),
  ops: referenceOps(),
})

/** A cache and what is fed to it. */
export interface FeedTarget<T extends TensorLike> {
  readonly backend: TestBackend<T>
  readonly cache: KvArena<T>
  readonly shape: CacheShape
  /** One source per seat of the cache. */
  readonly sources: readonly TokenSource[]
  /** Take queries and keys of the sources as not rotated yet, and rotate them to the positions the cache asks for. */
  readonly rotate?: boolean
}

/** What one forward over a cache gave, and what the cache did. */
export interface ForwardResult<T> {
  readonly plan: StepPlan
  /** Attention output per layer [B, C, Hq, D]. */
  readonly outputs: readonly Float32Array[]
  readonly scores: readonly (T | undefined)[]
}

/** One whole forward: plans it, feeds every layer the next tokens of each seat, commits. */
export function runForward<T extends TensorLike>(
  target: FeedTarget<T>,
  request: StepRequest,
): ForwardResult<T> {
  const { backend, cache, shape, sources } = target
  const { storage, ops } = backend
  const plan = cache.plan(request)
  const { seats, newTokens: C, before } = plan
  const B = seats.count
  const make = (dtype: DType, size: readonly number[], values: Float32Array | Int32Array): T => {
    const tensor = storage.zeros({ dtype, shape: size })
    storage.write(tensor, values)
    return tensor
  }
  const indices = before.flatMap(({ seen }) => Array.from({ length: C }, (_, c) => seen + c))
  const seen = make(
    'i32',
    [B],
    Int32Array.from(before, (seat) => seat.seen + C),
  )
  const positions = before.flatMap((seat) => {
    const first = cache.needs.slotPositions ? seat.stored : seat.seen
    return Array.from({ length: C }, (_, c) => first + c)
  })
  const frequencies = testFrequencies(shape.headDim)
  const rotary = { invFreq: make('f32', [1, frequencies.length], frequencies), scale: 1, offset: 0 }
  const index = make('i32', [B, C], Int32Array.from(indices))
  const bound = cache.bind(ops, plan, { index, seen, rotary })
  const gather = (signal: keyof TokenSource, layer: number, row: readonly number[]): T => {
    const turns = target.rotate === true && (signal === 'q' || signal === 'k')
    const rows = indices.map((token, i) => {
      const numbers = sources[seats.first + Math.floor(i / C)]![signal](layer, token)
      return turns ? rotateHeads(numbers, shape.headDim, positions[i]!) : numbers
    })
    const values = new Float32Array(rows.length * rows[0]!.length)
    rows.forEach((numbers, i) => {
      values.set(numbers, i * numbers.length)
    })
    return make('f32', [B, C, ...row], values)
  }
  const { queryHeads, kvHeads, headDim } = shape
  /** Stands for ‖W_o v‖₁ of a model: ‖v‖₁. */
  const norms = (layer: number): T => {
    const rows = indices.flatMap((token, i) => {
      const v = sources[seats.first + Math.floor(i / C)]!.v(layer, token)
      return Array.from({ length: kvHeads }, (_, h) =>
        v.subarray(h * headDim, (h + 1) * headDim).reduce((sum, x) => sum + Math.abs(x), 0),
      )
    })
    return make('f32', [B, C, kvHeads], Float32Array.from(rows))
  }
  const outputs = Array.from({ length: shape.layers }, (_, layer) => {
    const out = bound.attend(layer, {
      q: gather('q', layer, [queryHeads, headDim]),
      k: gather('k', layer, [kvHeads, headDim]),
      v: gather('v', layer, [kvHeads, headDim]),
      ...(bound.needs.logBeta && { logBeta: gather('logBeta', layer, [kvHeads]) }),
      ...(bound.needs.rawQueries && { rawQueries: gather('q', layer, [queryHeads, headDim]) }),
      ...(bound.needs.input && { input: gather('input', layer, [shape.hiddenSize!]) }),
      ...(bound.needs.outputNorm && { outputNorm: norms(layer) }),
    })
    return storage.read(out) as Float32Array
  })
  cache.commit(plan)
  return { plan, outputs, scores: bound.scores }
}
