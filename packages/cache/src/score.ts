import type { Ops, SlotScore, TensorLike } from '@trimkv/tensor'
import type { HostView, LayerView, RawQueries, SlotComputation } from './layer-view.ts'
import type { ColumnWriter, ConstantSource, Needs } from './needs.ts'

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
  /** Whether all heads of a layer must hold the same tokens: not under budgets that differ from head to head. */
  readonly equalHeads?: boolean
  /** @returns a new tensor [B, H, cap] f32; larger is kept */
  readonly score: SlotComputation
}

/** A rating in plain TypeScript. */
export interface HostScore {
  readonly kind: 'host'
  readonly needs: Needs
  readonly orderedSlots: boolean
  readonly equalHeads?: boolean
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

/**
 * `age · logBeta`, plus log‖k‖ when asked: TRIM-KV's score. `ageOffset` is the age of the newest token. With `lookahead`
 * a > 1 the log of what is left of the token over the a steps to come, log Σ β^(age + 1 + s) for s < a.
 */
export function decay(options: {
  readonly ageOffset: number
  readonly logKeyNorm: boolean
  readonly lookahead?: number
}): PerSlotScore {
  const { lookahead = 1 } = options
  const ahead = lookahead > 1
  const columns = {
    ...(options.logKeyNorm && !ahead && { logKeyNorm }),
    ...(ahead && { gain: gainAhead(lookahead, options.logKeyNorm) }),
  }
  return {
    kind: 'slot',
    needs: { logBeta: true, ...(Object.keys(columns).length > 0 && { columns }) },
    rule: { kind: 'decay', ageOffset: options.ageOffset + (ahead ? 1 : 0) },
    columns: ['logBeta', ...Object.keys(columns)],
  }
}

const logKeyNorm: ColumnWriter = { kind: 'ops', write: (ops, { k }) => ops.keyNorm({ k }, { log: true }) }

/** The part of a lookahead that does not depend on the age, fixed when a token is written. */
const gainAhead = (steps: number, withKeyNorm: boolean): ColumnWriter => ({
  kind: 'ops',
  write(ops, { k, logBeta }) {
    const gain = ops.logGeometricSum({ x: logBeta! }, { terms: steps })
    if (!withKeyNorm) return gain
    return ops.mix({ a: gain, b: ops.keyNorm({ k }, { log: true }) }, { a: 1, b: 1 })
  },
})

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
 * `timesVisible`: each query weighs as much as it has slots before it (FINCH).
 */
export const windowAttention = ({
  window: w,
  ...attrs
}: {
  readonly window: number
  readonly columns: 'all' | 'candidates'
  readonly timesVisible?: boolean
}): OpsScore => ({
  kind: 'ops',
  needs: { window: w },
  orderedSlots: false,
  score: (ops, { keys, count, slotIndex, seen, scale, window }) =>
    ops.windowScores({ ring: window(), keys, count, slotIndex, seen }, { scale, ...attrs }),
})

/** The queries of the last `queries` tokens before rotation: those remembered, turned back by the positions of their tokens. */
function turnedBack<T extends TensorLike>(ops: Ops<T>, view: LayerView<T>, queries: number): RawQueries<T> {
  const { invFreq, scale, offset } = view.rotary()
  const ring = view.window()
  const [B, w, ...row] = ring.shape as [number, number, number, number]
  const tokens = (first: number): T => ops.ringTokens({ seen: view.seen }, { window: queries, first })
  const index = tokens(0)
  const positions = ops.reshape(offset === 0 ? index : tokens(offset), [B * w])
  // A rotation also multiplies by `scale`, and so does its transpose.
  const table = ops.ropeTable({ positions, invFreq }, { scale: 1 / scale })
  const turned = ops.rope({ x: ops.reshape(ring, [B * w, ...row]), table }, { inverse: true })
  return { q: ops.reshape(turned, [B, w, ...row]), index }
}

/**
 * Attention that the queries to come are expected to give, by the mean and the covariance of queries read and the mean
 * rotation of the next `future` positions (ExpectedAttention). The first `sinks` tokens are neither counted nor rated. Counted
 * are the queries of the last `queries` tokens; without that number all of a prompt's, for a cut after it.
 */
export const expectedAttention = ({
  queries,
  ...attrs
}: {
  readonly sinks: number
  readonly future: number
  readonly covariance: boolean
  readonly queries?: number | undefined
}): OpsScore => ({
  kind: 'ops',
  needs: queries === undefined ? { rawQueries: true, rotary: true } : { window: queries, rotary: true },
  orderedSlots: false,
  score(ops, view) {
    const { keys, count, slotIndex, seen, scale } = view
    const { invFreq, scale: ropeScale, offset } = view.rotary()
    const counted = queries === undefined ? view.rawQueries() : turnedBack(ops, view, queries)
    const inputs = { ...counted, keys, count, slotIndex, seen, invFreq }
    return ops.expectedScores(inputs, { ...attrs, scale, ropeScale, offset })
  },
})

/** Tokens that stand out of the `partition` tokens after theirs stay, the same share in each partition (LagKV). */
export const lagDeviation = (options: {
  readonly sinks: number
  readonly partition: number
  readonly cross: boolean
}): OpsScore => ({
  kind: 'ops',
  needs: {},
  orderedSlots: true,
  score: (ops, { keys, values, count }) => ops.lagScores({ keys, values, count }, options),
})

/** Keys that point against a direction of their head stay (Q-Filters): `−direction · k`. */
export const againstDirection = (directions: ConstantSource): PerSlotScore => ({
  kind: 'slot',
  needs: { constants: { directions }, columns: { alignment } },
  rule: { kind: 'column' },
  columns: ['alignment'],
})

const alignment: ColumnWriter = {
  kind: 'ops',
  write: (ops, { k, constant }) => ops.headDot({ k, direction: constant('directions') }, { scale: -1 }),
}

/** Keys unlike the average key stay (KeyDiff). */
export const keyDifference = (): OpsScore => ({
  kind: 'ops',
  needs: {},
  orderedSlots: false,
  score: (ops, { keys, count }) => ops.keyDiff({ keys, count }),
})

/**
 * A rating over tensor ops; `orderedSlots` (default false) asks for slots in token order, `equalHeads` (default false) for
 * the same tokens in all heads of a layer.
 */
export const opsScore = (part: {
  readonly needs?: Needs
  readonly orderedSlots?: boolean
  readonly equalHeads?: boolean
  readonly score: SlotComputation
}): OpsScore => ({ needs: {}, orderedSlots: false, ...part, kind: 'ops' })

/**
 * A rating in plain TypeScript, called per sequence, layer and head whenever slots must go.
 * Slots come in token order unless `orderedSlots` is false, which saves moving them.
 */
export const hostScore = (part: {
  readonly needs?: Needs
  readonly orderedSlots?: boolean
  readonly equalHeads?: boolean
  score(view: HostView, head: number): ArrayLike<number>
}): HostScore => ({ needs: {}, orderedSlots: true, ...part, kind: 'host' })
