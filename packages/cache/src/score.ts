import type { SlotScore } from '@trimkv/tensor'
import type { HostView, SlotComputation } from './layer-view.ts'
import type { ColumnWriter, Needs } from './needs.ts'

/** A rating that looks at one slot alone; in `exact` mode the attention pass finds its victim on the way. */
export interface PerSlotScore {
  readonly kind: 'slot'
  readonly needs: Needs
  readonly rule: SlotScore
  /** Names of the columns the rule reads: A, then B. */
  readonly columns: readonly string[]
}

/** A rating written over tensor ops. */
export interface OpsScore {
  readonly kind: 'ops'
  readonly needs: Needs
  /** Whether slots must be in token order. */
  readonly orderedSlots: boolean
  /** @returns a new tensor [B, H, cap] f32; larger is kept */
  readonly score: SlotComputation
}

/** A rating in plain TypeScript. */
export interface HostScore {
  readonly kind: 'host'
  readonly needs: Needs
  readonly orderedSlots: boolean
  /** @returns one number per slot of `head`; larger is kept, NaN is an error */
  score(view: HostView, head: number): ArrayLike<number>
}

/** One number per slot, larger = keep. */
export type Score = PerSlotScore | OpsScore | HostScore

/** The newest tokens stay. */
export const recency = (): PerSlotScore => ({
  kind: 'slot',
  needs: {},
  rule: { kind: 'recency' },
  columns: [],
})

/** `age · logBeta`, plus log‖k‖ when asked: TRIM-KV's score. `ageOffset` is the age of the newest token. */
export function decay(options: { readonly ageOffset: number; readonly logKeyNorm: boolean }): PerSlotScore {
  return {
    kind: 'slot',
    needs: { logBeta: true, ...(options.logKeyNorm && { columns: { logKeyNorm } }) },
    rule: { kind: 'decay', ageOffset: options.ageOffset },
    columns: options.logKeyNorm ? ['logBeta', 'logKeyNorm'] : ['logBeta'],
  }
}

const logKeyNorm: ColumnWriter = { kind: 'ops', write: (ops, { k }) => ops.keyNorm({ k }, { log: true }) }

/** A number fixed when the token is written, larger = keep. */
export const writtenScore = (name: string, writer: ColumnWriter): PerSlotScore => ({
  kind: 'slot',
  needs: { columns: { [name]: writer } },
  rule: { kind: 'column' },
  columns: [name],
})

/** Attention received so far (H2O). */
export const attentionMass = (): PerSlotScore => ({
  kind: 'slot',
  needs: { mass: true },
  rule: { kind: 'column' },
  columns: ['mass'],
})

/**
 * Attention of the last `window` queries to each slot.
 * `all`: softmax over all slots, mean over queries and group (SnapKV, TOVA in kvpress).
 * `candidates`: softmax over slots older than the window of the group's largest logit (R-KV's decode form).
 */
export const windowAttention = (options: {
  readonly window: number
  readonly columns: 'all' | 'candidates'
}): OpsScore => ({
  kind: 'ops',
  needs: { window: options.window },
  orderedSlots: false,
  score: (ops, { keys, count, slotIndex, seen, scale, window }) =>
    ops.windowScores({ ring: window(), keys, count, slotIndex, seen }, { scale, columns: options.columns }),
})

/** Keys unlike the average key stay (KeyDiff). */
export const keyDifference = (): OpsScore => ({
  kind: 'ops',
  needs: {},
  orderedSlots: false,
  score: (ops, { keys, count }) => ops.keyDiff({ keys, count }),
})

/** A rating over tensor ops; `orderedSlots` (default false) asks for slots in token order. */
export const opsScore = (part: {
  readonly needs?: Needs
  readonly orderedSlots?: boolean
  readonly score: SlotComputation
}): OpsScore => ({ needs: {}, orderedSlots: false, ...part, kind: 'ops' })

/**
 * A rating in plain TypeScript, called per sequence, layer and head whenever slots must go.
 * Slots come in token order unless `orderedSlots` is false, which saves moving them.
 */
export const hostScore = (part: {
  readonly needs?: Needs
  readonly orderedSlots?: boolean
  score(view: HostView, head: number): ArrayLike<number>
}): HostScore => ({ needs: {}, orderedSlots: true, ...part, kind: 'host' })
