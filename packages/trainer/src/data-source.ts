import type { Batch } from './batch.ts'
import type { JsonValue } from './json-value.ts'

/** An endless sequence of batches. The k-th one depends on the options of the source and on k alone. */
export interface DataSource {
  /** Rows of every batch. */
  readonly batch: number
  /** Most tokens a row can have. */
  readonly maxLength: number
  next(): Promise<Batch>
  /** Where the sequence stands: what {@link DataSource.restore} needs to go on with the batch that comes next. */
  state(): JsonValue
  /** @throws TrimError `TRIMKV_FORMAT` when `state` is not one of this source */
  restore(state: JsonValue): Promise<void>
  close(): Promise<void>
}
