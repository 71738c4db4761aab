import { fail, type Ops, type TensorLike } from '@trimkv/tensor'
import type { CacheShape } from './cache-shape.ts'
import { undeclared } from './host-access.ts'
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
  /** Whether slots will be rated again: columns that nobody is going to read are not computed. */
  readonly rates: boolean
  /** Constants of the policy [L, …], by name. */
  readonly constants: Readonly<Record<string, T>>
}

/** The new tokens of one layer. */
export interface Incoming<T> extends LayerTokens<T> {
  readonly layer: number
  /** [B, C] i32 */
  readonly index: T
}

/** The slice of one layer of a constant. */
function constantOf<T extends TensorLike>(at: Appending<T>, layer: number, name: string): T {
  const whole = at.constants[name] ?? undeclared(at.policy, `constant "${name}"`)
  return at.ops.reshape(at.ops.slice(whole, { axis: 0, start: layer, length: 1 }), whole.shape.slice(1))
}

/** What the layer was given; only what is declared, so that the model computes nothing more than parts say. */
function inputOf<T extends TensorLike>({ policy, needs }: Appending<T>, { input }: Incoming<T>): T {
  if (!needs.input) return undeclared(policy, 'the input of the layer')
  return input ?? fail('TRIMKV_INVARIANT', `${policy} needs the input of each layer, and the model gave none`)
}

function missingNorm(policy: string): never {
  return fail('TRIMKV_INVARIANT', `${policy} needs the norm of projected values, and the model gave none`)
}

function columnValues<T extends TensorLike>(
  at: Appending<T>,
  column: [string, ColumnSource],
  tokens: Incoming<T>,
): T {
  const { ops, policy, shape } = at
  const [name, source] = column
  if (!at.rates || source.kind === 'mass')
    return ops.zeros({ dtype: 'f32', shape: tokens.k.shape.slice(0, 3) })
  switch (source.kind) {
    case 'outputNorm':
      return tokens.outputNorm ?? missingNorm(policy)
    case 'logBeta':
      return (
        tokens.logBeta ??
        fail('TRIMKV_GATES_MISMATCH', `${policy} needs retention gates, and the model has none`, {
          hint: 'load gates that were trained for this model, or choose a policy that needs none',
        })
      )
    case 'ops':
      return source.write(ops, {
        ...tokens,
        heads: shape.kvHeads,
        logBeta: tokens.logBeta,
        input: () => inputOf(at, tokens),
        constant: (constant) => constantOf(at, tokens.layer, constant),
      })
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
