import { fail, type TensorLike } from '@trimkv/tensor'
import type { Named, OpCall } from './intercept.ts'

/** A call whose outputs depend on what is differentiated by. */
export interface DependentCall<T> extends OpCall<T> {
  readonly outputs: Named<T>
  readonly segment: number
}

/** The calls of a tape, in their order. Tensors are told apart by identity. */
export class History<T extends TensorLike> {
  readonly calls: DependentCall<T>[] = []
  /** Number of the segment that is open. */
  segment = 0
  readonly #wrt: ReadonlySet<T>
  readonly #makers = new Map<T, DependentCall<T>>()
  /** Tensors that the calls have read, and that their gradients may read again. */
  readonly #read = new Set<T>()

  constructor(wrt: readonly T[]) {
    this.#wrt = new Set(wrt)
  }

  /** Makes the call, and keeps it if it depends on what is differentiated by. */
  run(call: OpCall<T>): Named<T> {
    this.#refuseWrites(call)
    const outputs = call.issue(call.inputs)
    const inputs = Object.values(call.inputs)
    if (!inputs.some((tensor) => this.depends(tensor))) return outputs
    const kept = { ...call, outputs, segment: this.segment }
    this.calls.push(kept)
    for (const tensor of inputs) if (tensor) this.#read.add(tensor)
    for (const tensor of Object.values(outputs)) this.#makers.set(tensor, kept)
    return outputs
  }

  depends(tensor: T | undefined): boolean {
    return tensor !== undefined && (this.#wrt.has(tensor) || this.#makers.has(tensor))
  }

  /** The call that made a tensor; absent for those the tape was given. */
  makerOf(tensor: T): DependentCall<T> | undefined {
    return this.#makers.get(tensor)
  }

  #refuseWrites({ name, inputs, writes }: OpCall<T>): void {
    if (writes.length === 0) return
    const isHeld = writes.some((slot) => this.#read.has(inputs[slot] as T))
    if (!isHeld && !Object.values(inputs).some((tensor) => this.depends(tensor))) return
    fail('TRIMKV_UNSUPPORTED', `[${name}] writes ${writes.join(', ')} in place, which a tape cannot follow`, {
      why: [
        isHeld
          ? 'a gradient may still read what would be overwritten'
          : 'an input depends on what is differentiated by',
      ],
      hint: 'call it on the ops that the tape was made from, if no gradient is meant to flow',
    })
  }
}
