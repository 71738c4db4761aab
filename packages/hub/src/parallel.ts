interface Limits {
  /** Pieces of work under way at the same time. */
  readonly parallel: number
  /** Aborted by the first failure. */
  readonly stop: AbortController
}

/**
 * Does work for each item, some at the same time, and ends when all of it has ended.
 * @returns the results in the order of the items
 * @throws what failed first
 */
export async function forEachParallel<T, R>(
  items: readonly T[],
  { parallel, stop }: Limits,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const queue = items.entries()
  let failure: { readonly error: unknown } | undefined
  async function worker(): Promise<void> {
    for (const [index, item] of queue) {
      if (failure) return
      try {
        results[index] = await work(item)
      } catch (error) {
        failure ??= { error }
        stop.abort(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(Math.max(1, parallel), items.length) }, worker))
  if (failure) throw failure.error
  return results
}
