import { describe, expect, it } from 'vitest'
import type { Batch } from '../batch.ts'
import type { DataSource } from '../data-source.ts'
import { prefetch } from './prefetch.ts'

/** Batch k holds the number k; batch 4 cannot be made. */
function counting(): DataSource {
  let made = 0
  return {
    batch: 1,
    maxLength: 1,
    next: () => {
      made++
      if (made === 4) return Promise.reject(new Error('no batch 4'))
      return Promise.resolve({ ids: Int32Array.of(made) } as Batch)
    },
    state: () => made,
    restore: (state) => {
      made = state as number
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
  }
}

const idOf = async (source: DataSource): Promise<number> => (await source.next()).ids[0]!
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

describe('prefetch', () => {
  it('makes the next batch before it is asked for', async () => {
    const source = counting()
    const ahead = prefetch(source)
    expect(await idOf(ahead)).toBe(1)
    await turn()
    expect(source.state()).toBe(2)
    expect(await idOf(ahead)).toBe(2)
  })

  it('stands where the batches it handed out end', async () => {
    const ahead = prefetch(counting())
    await ahead.next()
    await turn()
    const state = ahead.state()
    const other = prefetch(counting())
    await other.restore(state)
    expect(await idOf(other)).toBe(2)
    expect(await idOf(ahead)).toBe(2)
  })

  it('forgets what it made ahead when it is set back', async () => {
    const ahead = prefetch(counting())
    await ahead.next()
    await ahead.restore(0)
    expect(await idOf(ahead)).toBe(1)
  })

  it('tells of an error when its batch is asked for, not before', async () => {
    const ahead = prefetch(counting())
    for (const id of [1, 2, 3]) expect(await idOf(ahead)).toBe(id)
    await turn()
    await expect(ahead.next()).rejects.toThrow('no batch 4')
  })
})
