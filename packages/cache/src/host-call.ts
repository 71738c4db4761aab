import { fail, type Ops, type TensorLike } from '@trimkv/tensor'
import { type HostLayer, hostTokens, hostViews, type TokenTensors } from './host-access.ts'
import type { ColumnWriter } from './needs.ts'
import type { HostScore } from './score.ts'
import { tableList } from './slot-set.ts'
import type { Storage } from './storage.ts'

type HostWriter = Extract<ColumnWriter, { readonly kind: 'host' }>

/** Where numbers of a policy came from, for messages. */
interface Origin {
  readonly policy: string
  /** What was returned: scores, values of a column. */
  readonly what: string
  /** What there must be one of each for: slots, new tokens. */
  readonly per: string
  readonly layer: number
  readonly head: number
  /** Tokens read so far. */
  readonly step: number
}

function checkNumbers(origin: Origin, numbers: ArrayLike<number>, count: number): void {
  const { policy, what, per, layer, head, step } = origin
  const where = `(layer ${layer}, head ${head}, step ${step})`
  const details = { policy, layer, head, step }
  if (numbers.length !== count) {
    fail(
      'TRIMKV_POLICY_CONTRACT',
      `[${policy}] returned ${numbers.length} ${what} for ${count} ${per} ${where}`,
      { details },
    )
  }
  for (let i = 0; i < count; i++) {
    if (!Number.isNaN(numbers[i])) continue
    fail('TRIMKV_POLICY_CONTRACT', `[${policy}] returned NaN among its ${what} ${where}`, {
      why: [`entry ${i} of ${count}`],
      details,
    })
  }
}

/**
 * Rates slots in plain TypeScript.
 * @returns [B, H, cap] f32; −∞ for free slots
 * @throws TRIMKV_POLICY_CONTRACT while the forward runs, naming layer, head and step
 */
export function callHostScore<T extends TensorLike>(
  { ops, storage }: { readonly ops: Ops<T>; readonly storage: Storage<T> },
  score: HostScore,
  from: HostLayer<T>,
): T {
  const { slots, seen, ring, layer, policy } = from
  const shape = slots.slotIndex.shape as readonly [number, number, number]
  const [B, H, cap] = shape
  const scores = ops.zeros({ dtype: 'f32', shape })
  const fn = (): void => {
    const out = new Float32Array(B * H * cap).fill(Number.NEGATIVE_INFINITY)
    hostViews(storage, from).forEach((view, seat) => {
      for (let head = 0; head < H; head++) {
        const numbers = score.score(view, head)
        checkNumbers(
          { policy, what: 'scores', per: 'slots', layer, head, step: view.seen },
          numbers,
          view.length(head),
        )
        out.set(numbers, (seat * H + head) * cap)
      }
    })
    storage.write(scores, out)
  }
  ops.call(fn, [scores, seen, slots.count, ...tableList(slots), ...(ring ? [ring] : [])])
  return scores
}

/**
 * Computes a column of the new tokens in plain TypeScript.
 * @returns [B, C, H] f32
 * @throws TRIMKV_POLICY_CONTRACT while the forward runs, naming layer, head and step
 */
export function callHostWriter<T extends TensorLike>(
  { ops, storage }: { readonly ops: Ops<T>; readonly storage: Storage<T> },
  writer: HostWriter,
  from: TokenTensors<T> & { readonly policy: string; readonly column: string },
): T {
  const { policy, column, layer, index, q, k, v } = from
  const [B, C, H] = k.shape as readonly [number, number, number]
  const values = ops.zeros({ dtype: 'f32', shape: [B, C, H] })
  const fn = (): void => {
    const out = new Float32Array(B * C * H)
    hostTokens(storage, from).forEach((tokens, seat) => {
      const step = tokens.index[C - 1]! + 1
      for (let head = 0; head < H; head++) {
        const numbers = writer.write(tokens, head)
        checkNumbers(
          { policy, what: `values of column ${column}`, per: 'new tokens', layer, head, step },
          numbers,
          C,
        )
        for (let c = 0; c < C; c++) out[(seat * C + c) * H + head] = numbers[c]!
      }
    })
    storage.write(values, out)
  }
  ops.call(fn, [values, index, q, k, v])
  return values
}
