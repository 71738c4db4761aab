/** Programs that were recorded before, the least recently used freed first. */
export class ProgramCache<P extends Disposable> implements Disposable {
  readonly #limit: number
  readonly #programs = new Map<string, P>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** The program of this key, recorded if need be. It is freed by the cache. */
  get(key: string, record: () => P): P {
    const program = this.#programs.get(key) ?? record()
    this.#programs.delete(key)
    this.#programs.set(key, program)
    for (const [oldest] of this.#programs) {
      if (this.#programs.size <= this.#limit) break
      this.#free(oldest)
    }
    return program
  }

  /** Frees the programs whose key fits. */
  drop(matches: (key: string) => boolean): void {
    for (const key of [...this.#programs.keys()]) if (matches(key)) this.#free(key)
  }

  #free(key: string): void {
    this.#programs.get(key)?.[Symbol.dispose]()
    this.#programs.delete(key)
  }

  [Symbol.dispose](): void {
    this.drop(() => true)
  }
}
