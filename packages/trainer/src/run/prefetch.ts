import type { Batch } from '../batch.ts'
import type { DataSource } from '../data-source.ts'
import type { JsonValue } from '../json-value.ts'

interface Ahead {
  readonly batch: Promise<Batch>
  /** Where the source stood before this batch. */
  readonly before: JsonValue
}

/**
 * The same batches, each made while the one before it is trained on: making text takes this thread, training another.
 * `state` is that of the batches handed out. Disposing waits for the batch in the making and leaves the source open, at
 * some later batch.
 */
export function prefetch(source: DataSource): DataSource & AsyncDisposable {
  let ahead: Ahead | undefined

  function begin(): Ahead {
    const before = source.state()
    // A turn of the event loop later, so that the caller starts its work first.
    const batch = new Promise<void>((resolve) => setImmediate(resolve)).then(() => source.next())
    // Whoever asks for the batch hears of its error; until then it is not unhandled.
    batch.catch(() => undefined)
    return { batch, before }
  }

  return {
    get batch() {
      return source.batch
    },
    get maxLength() {
      return source.maxLength
    },
    async next() {
      const batch = await (ahead ? ahead.batch : source.next())
      ahead = begin()
      return batch
    },
    state: () => ahead?.before ?? source.state(),
    async restore(state) {
      await ahead?.batch.catch(() => undefined)
      ahead = undefined
      await source.restore(state)
    },
    close: () => source.close(),
    async [Symbol.asyncDispose]() {
      await ahead?.batch.catch(() => undefined)
    },
  }
}
