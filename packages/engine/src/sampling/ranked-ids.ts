/**
 * Ids from the largest logit to the smallest, ties by the smaller id, found lazily: building costs O(V), each id
 * O(log V). A filter that stops after a few ids never pays for a full sort.
 */
export class RankedIds {
  readonly #logits: Float32Array
  readonly #heap: Uint32Array
  #size: number

  /** @param logits [V] f32 without NaN */
  constructor(logits: Float32Array) {
    this.#logits = logits
    this.#size = logits.length
    this.#heap = Uint32Array.from({ length: logits.length }, (_, id) => id)
    for (let at = (this.#size >> 1) - 1; at >= 0; at--) this.#sink(at)
  }

  /** The next best id, or undefined when all were taken. */
  take(): number | undefined {
    if (this.#size === 0) return undefined
    const best = this.#heap[0]!
    this.#heap[0] = this.#heap[--this.#size]!
    this.#sink(0)
    return best
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#logits[a]!, this.#logits[b]!]
    return x > y || (x === y && a < b)
  }

  #sink(start: number): void {
    const heap = this.#heap
    const id = heap[start]!
    let at = start
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && this.#before(heap[child + 1]!, heap[child]!)) child++
      if (!this.#before(heap[child]!, id)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = id
  }
}
