import type { TensorSpec } from '../../dtype.ts'
import type { Op, SlotValues } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { checkSlotScore, type ProtectedRange, type SlotScore, slotScoreScalars } from '../../slot-score.ts'
import { attentionRef } from './attention.ref.ts'

const rules = new ShapeRules('attention')

/** Head size the kernels have room for. */
const maxHeadSize = 256

export type AttentionSlots = {
  readonly q: 'in'
  readonly keys: 'in'
  readonly values: 'in'
  readonly count: 'in'
  readonly slotIndex: 'optional'
  readonly seen: 'optional'
  readonly columnA: 'optional'
  readonly columnB: 'optional'
  readonly mass: 'optionalInout'
  readonly victim: 'optionalInout'
}

/** Which slot the next token may overwrite: the lowest rated unprotected one, once more than `budget` are stored. */
export interface VictimRule extends ProtectedRange {
  readonly score: SlotScore
  readonly budget: number
}

export interface AttentionAttrs {
  /** Factor of the logits, 1/√D for the models here. */
  readonly scale: number
  readonly victim?: VictimRule | undefined
}

type Specs = SlotValues<AttentionSlots, TensorSpec>
type Sizes = Record<'B' | 'C' | 'Hq' | 'D' | 'H' | 'cap', number>

function checkVictim(inputs: Specs, rule: VictimRule | undefined, size: Sizes): void {
  const { victim, slotIndex, seen } = inputs
  rules.option(
    (victim === undefined) === (rule === undefined),
    'the victim tensor and the victim rule go together',
  )
  if (!victim || !rule) return
  rules.with(size).match('victim', victim, ['B', 'H'])
  rules.dtype('victim', victim, 'i32')
  rules.shape(size.C === 1, `a victim is searched for one new token at a time, got ${size.C}`)
  rules.shape(slotIndex !== undefined && seen !== undefined, 'a victim needs slotIndex and seen')
  const rated = rule.score.kind === 'recency' || inputs.columnA !== undefined || inputs.mass !== undefined
  rules.shape(rated, `score ${rule.score.kind} needs columnA`)
  checkSlotScore(rules, rule.score)
  const whole = [rule.budget, rule.first, rule.last].every((n) => Number.isSafeInteger(n) && n >= 0)
  rules.option(
    whole,
    `budget, first and last must be integers ≥ 0, got ${rule.budget}, ${rule.first}, ${rule.last}`,
  )
}

/**
 * Attention of C new tokens over the stored slots; the new tokens' keys and values are already stored, in order, in the
 * last C slots. Query c sees the first `count − C + 1 + c` slots; one query alone sees all of them, wherever its own
 * slot is. A head without slots gives zeros.
 * - q [B, C, Hq, D] f32; keys, values [B, H, cap, D] f32 | bf16 | f16 | f8, Hq a multiple of H, D ≤ 256; count [B, H] i32
 * - slotIndex [B, H, cap] and seen [B] i32, columnA and columnB [B, H, cap] f32: what the victim's score reads
 * - mass [B, H, cap] f32: each query's probability, averaged over the group, is added per slot, query by query in order
 * - victim [B, H] i32 (needs C = 1): the slot with the smallest (score, index) among the unprotected when
 *   count > budget, else −1. Without columnA the score reads `mass`; columnA may be the same tensor as `mass`. Both
 *   mean the values after this call's update.
 * - out [B, C, Hq, D] f32
 *
 * Sums run over tiles aligned to slot numbers, so bits do not depend on threads, batch or chunking.
 * @throws TRIMKV_SHAPE, TRIMKV_OPTION; TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const attention: Op<AttentionSlots, AttentionAttrs, 'out'> = {
  name: 'attention',
  source:
    'Vaswani et al. 2017 (arXiv:1706.03762) eq. 1; online softmax: Milakov & Gimelshein 2018 (arXiv:1805.02867)',
  slots: {
    q: 'in',
    keys: 'in',
    values: 'in',
    count: 'in',
    slotIndex: 'optional',
    seen: 'optional',
    columnA: 'optional',
    columnB: 'optional',
    mass: 'optionalInout',
    victim: 'optionalInout',
  },
  outputs: ['out'],
  infer(inputs, { scale, victim: rule }) {
    const { q, keys, values, count, slotIndex, seen, columnA, columnB, mass } = inputs
    const size = rules.match<keyof Sizes>('q', q, ['B', 'C', 'Hq', 'D'])
    rules.with(size).match('keys', keys, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('values', values, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('q', q, 'f32')
    rules.dtype('keys', keys, ...floatDtypes)
    rules.dtype('values', values, keys.dtype)
    rules.dtype('count', count, 'i32')
    rules.shape(size.D <= maxHeadSize, `head size ${size.D} is above ${maxHeadSize}`)
    rules.shape(
      size.H > 0 && size.Hq % size.H === 0,
      `${size.Hq} query heads do not divide into ${size.H} key heads`,
    )
    for (const [name, column] of Object.entries({ columnA, columnB, mass })) {
      if (!column) continue
      rules.with(size).match(name, column, ['B', 'H', 'cap'])
      rules.dtype(name, column, 'f32')
    }
    if (slotIndex) {
      rules.with(size).match('slotIndex', slotIndex, ['B', 'H', 'cap'])
      rules.dtype('slotIndex', slotIndex, 'i32')
    }
    if (seen) {
      rules.with(size).match('seen', seen, ['B'])
      rules.dtype('seen', seen, 'i32')
    }
    rules.option(Number.isFinite(scale), `scale must be a finite number, got ${scale}`)
    checkVictim(inputs, rule, size)
    return { out: { dtype: 'f32', shape: [...q.shape] } }
  },
  scalars: ({ scale, victim }) =>
    victim
      ? [scale, 1, ...slotScoreScalars(victim.score), victim.budget, victim.first, victim.last]
      : [scale, 0, 0, 0, 0, 0, 0],
  reference: attentionRef,
  /** Counts are data, so all `cap` slots are taken as stored. */
  cost({ q, keys }) {
    const [B, C, Hq, D] = q.shape as [number, number, number, number]
    const [, H, cap] = keys.shape as [number, number, number, number]
    const perElement = keys.dtype === 'f32' ? 4 : 2
    return { flops: 4 * B * C * Hq * D * cap, bytes: 2 * B * H * cap * D * perElement + 8 * B * C * Hq * D }
  },
}
