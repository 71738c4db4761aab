/** One text as tokens; the three arrays are as long. */
export interface Document {
  readonly ids: Int32Array
  /** The id itself where the token is a target, −100 elsewhere. */
  readonly labels: Int32Array
  /** Loss weight of predicting the token at this index. */
  readonly weights: Float32Array
}

/** The label of a token that is no target. */
export const noTarget = -100

/** Joins what is given and what is to be learnt; every target weighs 1. */
export function completionDocument(prompt: readonly number[], completion: readonly number[]): Document {
  return {
    ids: Int32Array.from([...prompt, ...completion]),
    labels: Int32Array.from([...prompt.map(() => noTarget), ...completion]),
    weights: Float32Array.from([...prompt.map(() => 0), ...completion.map(() => 1)]),
  }
}

/** The first `length` tokens; the document itself when it has no more. */
export function truncateDocument(document: Document, length: number): Document {
  if (document.ids.length <= length) return document
  return {
    ids: document.ids.slice(0, length),
    labels: document.labels.slice(0, length),
    weights: document.weights.slice(0, length),
  }
}

/** Whether anything can be learnt: the first token has nothing before it to be predicted from. */
export const hasTarget = ({ labels }: Document): boolean =>
  labels.some((label, i) => i > 0 && label !== noTarget)
