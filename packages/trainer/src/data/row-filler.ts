import type { Document } from './document.ts'

/** Decides which documents share a row. */
export interface RowFiller<D extends Document> {
  /** Documents that were taken from the source and stand in no row yet. */
  readonly waiting: readonly D[]
  /** @param pull gives the next document of the source, of `length` tokens at most */
  next(pull: () => Promise<D>): Promise<D[]>
}

export interface PackOptions<D> {
  /** Tokens of a row. */
  readonly length: number
  /** A row whose rest is smaller is done; 2 unless given, the shortest document that has a target. */
  readonly least?: number
  /** Documents that may wait for a row they fit into; 16 unless given. */
  readonly window?: number
  /** Documents that wait already, from {@link RowFiller.waiting}. */
  readonly waiting?: readonly D[]
}

/**
 * Packs documents into rows: the one that waited longest opens a row, and the largest waiting one that fits goes on; where
 * none does, the next of the source is looked at. No document is cut or waits for ever.
 */
export function packRows<D extends Document>(options: PackOptions<D>): RowFiller<D> {
  const { length, least = 2, window = 16 } = options
  const waiting = [...(options.waiting ?? [])]
  return {
    waiting,
    async next(pull) {
      const row = [waiting.shift() ?? (await pull())]
      let rest = length - row[0]!.ids.length
      while (rest >= least) {
        const best = largestWithin(waiting, rest)
        if (best >= 0) {
          const [document] = waiting.splice(best, 1)
          row.push(document!)
          rest -= document!.ids.length
        } else if (waiting.length < window) waiting.push(await pull())
        else break
      }
      return row
    },
  }
}

/** The first of the largest documents that fit; −1 when none does. */
function largestWithin(documents: readonly Document[], rest: number): number {
  let best = -1
  documents.forEach(({ ids }, i) => {
    if (ids.length <= rest && (best < 0 || ids.length > documents[best]!.ids.length)) best = i
  })
  return best
}

/** Gives every document a row of its own. */
export const oneDocumentPerRow = <D extends Document>(): RowFiller<D> => ({
  waiting: [],
  next: async (pull) => [await pull()],
})
