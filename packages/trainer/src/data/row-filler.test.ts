import { TrimError } from '@trimkv/tensor'
import { seededRandom } from '@trimkv/testing'
import { describe, expect, it } from 'vitest'
import { assembleBatch } from './assemble-batch.ts'
import { completionDocument, type Document } from './document.ts'
import { oneDocumentPerRow, packRows } from './row-filler.ts'

const documentOf = (length: number, id = 1): Document =>
  completionDocument([], Array<number>(length).fill(id))

/** A source that gives documents of these lengths, numbered by their id from 1. */
function sourceOf(lengths: readonly number[]) {
  let taken = 0
  return async (): Promise<Document> => {
    const length = lengths[taken]
    if (length === undefined) throw new Error('no more')
    return documentOf(length, ++taken)
  }
}

const idsOf = (row: readonly Document[]): (number | undefined)[] => row.map(({ ids }) => ids[0])

describe('packRows', () => {
  it('goes on with what comes next as long as it fits', async () => {
    const filler = packRows<Document>({ length: 10 })
    const pull = sourceOf([3, 3, 4, 10, 2])
    expect(idsOf(await filler.next(pull))).toEqual([1, 2, 3])
    expect(idsOf(await filler.next(pull))).toEqual([4])
  })

  it('takes the largest waiting document that fits, and lets what waited longest open a row', async () => {
    const filler = packRows<Document>({ length: 10, window: 3 })
    const pull = sourceOf([7, 9, 4, 8, 3, 10, 6, 1])
    expect(idsOf(await filler.next(pull))).toEqual([1])
    expect(idsOf(filler.waiting)).toEqual([2, 3, 4])
    expect(idsOf(await filler.next(pull))).toEqual([2])
    // Documents 3 and 4 wait; 5, of three tokens, fits beside 3.
    expect(idsOf(await filler.next(pull))).toEqual([3, 5])
    expect(idsOf(filler.waiting)).toEqual([4, 6, 7])
  })

  it('closes a row whose rest nothing can fit into, without looking at more', async () => {
    const filler = packRows<Document>({ length: 10, least: 4 })
    expect(idsOf(await filler.next(sourceOf([7])))).toEqual([1])
  })

  it('goes on from documents that waited', async () => {
    const before = packRows<Document>({ length: 10, window: 2 })
    const pull = sourceOf([7, 9, 8, 10, 3, 2])
    await before.next(pull)
    const after = packRows<Document>({ length: 10, window: 2, waiting: before.waiting })
    expect(idsOf(await after.next(pull))).toEqual([2])
  })

  it('loses, repeats, cuts and overfills nothing, whatever the lengths', async () => {
    const random = seededRandom(3)
    for (let run = 0; run < 50; run++) {
      const length = random.int(8, 40)
      const lengths = Array.from({ length: 2000 }, () => random.int(2, length))
      const filler = packRows<Document>({ length, window: random.int(1, 6) })
      const pull = sourceOf(lengths)
      const rows: Document[][] = []
      while (rows.length < 40) rows.push(await filler.next(pull))
      const seen = [...rows.flat(), ...filler.waiting].map(({ ids }) => ids[0]!).sort((a, b) => a - b)
      expect(seen).toEqual(seen.map((_, i) => i + 1))
      for (const row of rows) {
        const filled = row.reduce((sum, { ids }) => sum + ids.length, 0)
        expect(filled).toBeLessThanOrEqual(length)
        expect(row.map(({ ids }) => ids.length)).toEqual(row.map(({ ids }) => lengths[ids[0]! - 1]))
      }
    }
  })
})

it('oneDocumentPerRow gives every document a row', async () => {
  const filler = oneDocumentPerRow<Document>()
  const pull = sourceOf([1, 1])
  expect([await filler.next(pull), await filler.next(pull)].map(idsOf)).toEqual([[1], [2]])
})

describe('assembleBatch', () => {
  it('numbers positions and starts by document, and makes the rest one without targets', () => {
    const first = completionDocument([5, 6], [7])
    const batch = assembleBatch([[first, documentOf(2, 9)], [documentOf(6, 4)]], 6)
    expect(batch).toMatchObject({ batch: 2, length: 6 })
    expect([...batch.ids]).toEqual([5, 6, 7, 9, 9, 0, 4, 4, 4, 4, 4, 4])
    expect([...batch.positions]).toEqual([0, 1, 2, 0, 1, 0, 0, 1, 2, 3, 4, 5])
    expect([...batch.starts]).toEqual([0, 0, 0, 3, 3, 5, 0, 0, 0, 0, 0, 0])
    expect([...batch.labels]).toEqual([-100, -100, 7, 9, 9, -100, 4, 4, 4, 4, 4, 4])
    expect([...batch.weights]).toEqual([0, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1])
  })

  it('refuses documents that are longer than the row', () => {
    expect(() => assembleBatch([[documentOf(4), documentOf(3)]], 6)).toThrow(
      /row 0 has documents of more than 6/,
    )
    expect(() => assembleBatch([[documentOf(7)]], 6)).toThrow(TrimError)
  })
})
