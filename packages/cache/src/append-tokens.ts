import { fail, type Ops, type TensorLike } from '@trimkv/tensor'
import type { CacheShape } from './cache-shape.ts'
import { callHostWriter } from './host-call.ts'
import type { LayerTokens } from './kv-cache.ts'
import type { ColumnSource, PolicyNeeds } from './needs.ts'
import type { SlotSet } from './slot-set.ts'
import type { Storage } from './storage.ts'

/** What appending needs beside the tokens. */
export interface Appending<T extends TensorLike> {
  readonly ops: Ops<T>
  readonly storage: Storage<T>
  readonly policy: string
  readonly needs: PolicyNeeds
  readonly shape: CacheShape
}

/** The new tokens of one layer. */
export interface Incoming<T> extends LayerTokens<T> {
  readonly layer: number
  /** [B, C] i32 */
  readonly index: T
}

function columnValues<T extends TensorLike>(
  at: Appending<T>,
  column: [string, ColumnSource],
  tokens: Incoming<T>,
): T {
  const { ops, policy, shape } = at
  const [name, source] = column
  switch (source.kind) {
    case 'mass':
      return ops.zeros({ dtype: 'f32', shape: tokens.k.shape.slice(0, 3) })
    case 'logBeta':
      return (
        tokens.logBeta ??
        fail('TRIMKV_GATES_MISMATCH', `${policy} needs retention gates, and the model has none`, {
          hint: 'load gates that were trained for this model, or choose a policy that needs none',
        })
      )
    case 'ops':
      return source.write(ops, { ...tokens, heads: shape.kvHeads, logBeta: tokens.logBeta })
    case 'host':
      return callHostWriter(at, source, { ...tokens, policy, column: name })
  }
}

/**
 * Stores new tokens: keys, values, index and every declared column.
 * @param to slots to append to, and where a waiting victim is noted
 */
export function appendTokens<T extends TensorLike>(
  at: Appending<T>,
  tokens: Incoming<T>,
  to: { readonly slots: SlotSet<T>; readonly victim: T | undefined },
): void {
  const { ops, needs } = at
  const { keys, values, slotIndex, count, columns } = to.slots
  // Host writers read k and v, so they come before the last op that uses these.
  const written = Object.entries(needs.columns).map(
    (column) => [column[0], columnValues(at, column, tokens)] as const,
  )
  const { k, v, index } = tokens
  const slots = ops.kvAppend({ k, v, index, keys, values, slotIndex, count, victim: to.victim })
  for (const [name, numbers] of written) ops.columnAppend({ values: numbers, slots, column: columns[name]! })
}
