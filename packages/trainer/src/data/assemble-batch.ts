import { fail } from '@trimkv/tensor'
import type { Batch } from '../batch.ts'
import { type Document, noTarget } from './document.ts'

/**
 * Lays documents side by side. What is left of a row becomes one more document of id 0 without targets.
 * @param rows   the documents of each row, in order
 * @param length tokens of every row
 * @throws TrimError `TRIMKV_SHAPE` when the documents of a row are longer than it
 */
export function assembleBatch(rows: readonly (readonly Document[])[], length: number): Batch {
  const size = rows.length * length
  const batch: Batch = {
    batch: rows.length,
    length,
    ids: new Int32Array(size),
    positions: new Int32Array(size),
    starts: new Int32Array(size),
    labels: new Int32Array(size).fill(noTarget),
    weights: new Float32Array(size),
  }
  rows.forEach((documents, row) => {
    let start = 0
    for (const { ids, labels, weights } of documents) {
      if (start + ids.length > length) {
        fail('TRIMKV_SHAPE', `row ${row} has documents of more than ${length} tokens`)
      }
      batch.ids.set(ids, row * length + start)
      batch.labels.set(labels, row * length + start)
      batch.weights.set(weights, row * length + start)
      place(batch, { row, start, end: start + ids.length })
      start += ids.length
    }
    place(batch, { row, start, end: length })
  })
  return batch
}

function place(
  { positions, starts, length }: Batch,
  { row, start, end }: { row: number; start: number; end: number },
): void {
  for (let i = start; i < end; i++) {
    positions[row * length + i] = i - start
    starts[row * length + i] = start
  }
}
