import type { Ops, TensorLike } from '@trimkv/tensor'
import type { History } from './history.ts'
import { intercept, type Named } from './intercept.ts'

/**
 * Computes tensors of closed segments anew when an op reads them, from those that cross into their segment,
 * so that the memory of the first time can be used for something else in between.
 */
export class Recomputation<T extends TensorLike> {
  /** Ops that take tensors of the tape for what they are and read them from here. */
  readonly ops: Ops<T>
  readonly #history: History<T>
  readonly #again = new Map<T, T>()
  #segment = -1

  constructor(ops: Ops<T>, history: History<T>) {
    this.#history = history
    this.ops = intercept(ops, ({ inputs, issue }) => issue(this.#current(inputs)))
  }

  /** Turns to a segment; what was computed for another one is dropped. The open one is taken as it is. */
  enter(segment: number): void {
    if (segment === this.#segment) return
    this.#segment = segment
    this.#again.clear()
  }

  #current(tensors: Named<T | undefined>): Named<T | undefined> {
    return Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [name, tensor && this.#valueOf(tensor)]),
    )
  }

  #valueOf(tensor: T): T {
    const maker = this.#history.makerOf(tensor)
    if (maker?.segment !== this.#segment || this.#segment === this.#history.segment) return tensor
    if (!this.#again.has(tensor)) {
      const outputs = maker.issue(this.#current(maker.inputs))
      for (const [name, made] of Object.entries(maker.outputs)) this.#again.set(made, outputs[name] as T)
    }
    return this.#again.get(tensor) as T
  }
}
