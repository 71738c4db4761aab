import { fail, type Ops, type ProtectedRange, type TensorLike } from '@trimkv/tensor'
import { type HostLayer, undeclared } from './host-access.ts'
import { callHostScore } from './host-call.ts'
import type { LayerView } from './layer-view.ts'
import type { Eviction } from './resolved-policy.ts'
import type { Storage } from './storage.ts'

/** What rating needs beside the layer itself. */
export interface Rating<T extends TensorLike> {
  readonly ops: Ops<T>
  readonly storage: Storage<T>
  readonly eviction: Eviction
}

function layerView<T extends TensorLike>(
  { policy, layer, shape, slots, seen, ring, rawQueries, rotary }: HostLayer<T>,
  protect: ProtectedRange,
): LayerView<T> {
  const { columns, ...tables } = slots
  return {
    layer,
    ...tables,
    seen,
    scale: 1 / Math.sqrt(shape.headDim),
    protect,
    column: (name) => columns[name] ?? undeclared(policy, `column "${name}"`),
    window: () => ring ?? undeclared(policy, 'a window of queries'),
    rawQueries: () => rawQueries ?? undeclared(policy, 'queries before rotation'),
    rotary: () => rotary ?? undeclared(policy, 'the rotary embedding'),
  }
}

/** Names of the columns a per-slot score reads, as op inputs. */
export function ratedColumns<T>(
  names: readonly string[],
  columns: Readonly<Record<string, T>>,
): { columnA?: T; columnB?: T } {
  const [a, b] = names
  return {
    ...(a !== undefined && { columnA: columns[a]! }),
    ...(b !== undefined && { columnB: columns[b]! }),
  }
}

function firstScores<T extends TensorLike>({ ops, storage, eviction }: Rating<T>, from: HostLayer<T>): T {
  const { score } = eviction
  const { slots, seen } = from
  switch (score.kind) {
    case 'slot': {
      const { count, slotIndex } = slots
      const columns = ratedColumns(score.columns, slots.columns)
      return ops.slotScores({ count, slotIndex, seen, ...columns }, { score: score.rule })
    }
    case 'ops':
      return score.score(ops, layerView(from, eviction.protect))
    case 'host':
      return callHostScore({ ops, storage }, score, from)
  }
}

function checkScores<T extends TensorLike>(scores: T, { policy, layer, slots }: HostLayer<T>): T {
  const wanted = slots.slotIndex.shape
  const fits = scores.dtype === 'f32' && scores.shape.join() === wanted.join()
  if (!fits) {
    fail(
      'TRIMKV_POLICY_CONTRACT',
      `[${policy}] scores are ${scores.dtype} [${scores.shape.join(', ')}] in layer ${layer}`,
      {
        why: [`expected f32 [${wanted.join(', ')}], one number per slot`],
      },
    )
  }
  return scores
}

/**
 * Rates all slots of some sequences: score ▸ transforms ▸ protect.
 * @returns [B, H, cap] f32; +∞ for protected tokens
 * @throws TRIMKV_POLICY_CONTRACT when a part returns something else
 */
export function rateSlots<T extends TensorLike>(rating: Rating<T>, from: HostLayer<T>): T {
  const { ops, eviction } = rating
  const view = layerView(from, eviction.protect)
  let scores = checkScores(firstScores(rating, from), from)
  for (const transform of eviction.transforms) scores = checkScores(transform.apply(ops, scores, view), from)
  const { first, last } = eviction.protect
  if (first === 0 && last === 0) return scores
  // A part may hand a stored column through; protecting it in place would change the column itself.
  if (Object.values(from.slots.columns).includes(scores)) scores = ops.copy({ x: scores }, { dtype: 'f32' })
  const { slotIndex, count } = from.slots
  ops.protect({ scores, slotIndex, count, seen: from.seen }, { first, last })
  return scores
}
