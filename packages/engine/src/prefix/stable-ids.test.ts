import { describe, expect, it } from 'vitest'
import type { Model } from '../load-model.ts'
import { stableIds } from './stable-ids.ts'

/** A model that has words only; `encoding` is called before each text is encoded. */
function wordModel(encoding: (nth: number) => void): Model {
  let encoded = 0
  const encode = (text: string): number[] => {
    encoding(++encoded)
    return text.split(/(?<=\s)/).map((word) => word.length)
  }
  return { tokenizer: () => Promise.resolve({ encode }) } as unknown as Model
}

describe('stableIds', () => {
  it('leaves out the tokens that may join with what follows', async () => {
    expect(
      await stableIds(
        wordModel(() => {}),
        'one three fo',
      ),
    ).toEqual([4, 6])
  })

  it('lets other work run between two encodings', async () => {
    let turns = 0
    let before = -1
    const isOver = new AbortController()
    const work = (): void => {
      turns++
      if (!isOver.signal.aborted) setImmediate(work)
    }
    setImmediate(work)
    await stableIds(
      wordModel(() => {
        expect(turns).toBeGreaterThan(before)
        before = turns
      }),
      'one two',
    )
    isOver.abort()
  })

  it('stops after the encoding under way when it is aborted', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    let last = 0
    const model = wordModel((nth) => {
      last = nth
      if (nth === 3) controller.abort(reason)
    })
    await expect(stableIds(model, 'one two', controller.signal)).rejects.toBe(reason)
    expect(last).toBe(3)
  })
})
