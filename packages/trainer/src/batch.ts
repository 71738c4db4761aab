/**
 * One micro-batch: `batch` rows of `length` tokens, each row a sequence of packed documents. Arrays are row-major
 * [batch · length]; what is left at the end of a row is one more document without targets.
 */
export interface Batch {
  /** Rows. */
  readonly batch: number
  /** Tokens per row. */
  readonly length: number
  readonly ids: Int32Array
  /** Position of each token in its document, from 0: what rotary angles and ages count from. */
  readonly positions: Int32Array
  /** Index in the row of the first token of each token's document. */
  readonly starts: Int32Array
  /** Un-shifted: the id itself where the token is a target, −100 elsewhere. */
  readonly labels: Int32Array
  /** Loss weight of predicting the token at this index: 1 where it is a target unless the source says otherwise, 0 elsewhere. */
  readonly weights: Float32Array
}
