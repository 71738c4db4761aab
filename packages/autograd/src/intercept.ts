import { type AnyOp, type Ops, opTable, type TensorLike } from '@trimkv/tensor'

/** Tensors by slot or by output. */
export type Named<T> = Readonly<Record<string, T>>

/** A call of an op, or of `reshape` or `slice`. */
export interface OpCall<T> {
  readonly name: string
  /** By slot; a view is taken from `x`. */
  readonly inputs: Named<T | undefined>
  readonly attrs: unknown
  /** Slots of those inputs that the call writes in place. */
  readonly writes: readonly string[]
  /** Makes the call on these inputs, which have the same shapes. Several outputs go by name, an only one by `out`. */
  readonly issue: (inputs: Named<T | undefined>) => Named<T>
}

type Handler<T> = (call: OpCall<T>) => Named<T>

type UntypedOps<T> = Named<(inputs: Named<T | undefined>, attrs: unknown) => unknown>

const returnsBare = (op: AnyOp): boolean => op.outputs.length === 1 && op.outputs[0] === 'out'

const writtenSlots = (op: AnyOp, inputs: Named<unknown>): string[] =>
  Object.keys(inputs).filter((slot) => inputs[slot] && /inout/i.test((op.slots as Named<string>)[slot] ?? ''))

/** The same ops, where `handler` sees every call that makes tensors from tensors and gives its outputs. */
export function intercept<T extends TensorLike>(ops: Ops<T>, handler: Handler<T>): Ops<T> {
  const untyped = ops as unknown as UntypedOps<T>
  const functionOf = (name: string, op: AnyOp) => (inputs: Named<T | undefined>, attrs: unknown) => {
    const outputs = handler({
      name,
      inputs: { ...inputs },
      attrs,
      writes: writtenSlots(op, inputs),
      issue(on) {
        const result = untyped[name]?.(on, attrs)
        return (returnsBare(op) ? { out: result } : (result ?? {})) as Named<T>
      },
    })
    if (op.outputs.length === 0) return undefined
    return returnsBare(op) ? outputs.out : outputs
  }
  const viewOf = (name: 'reshape' | 'slice') => (x: T, attrs: never) =>
    handler({ name, inputs: { x }, attrs, writes: [], issue: (on) => ({ out: ops[name](on.x as T, attrs) }) })
      .out
  const functions = Object.entries(opTable).map(([name, op]) => [name, functionOf(name, op)])
  return {
    ...ops,
    ...Object.fromEntries(functions),
    reshape: viewOf('reshape'),
    slice: viewOf('slice'),
  } as Ops<T>
}
