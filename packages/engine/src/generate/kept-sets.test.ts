import { describe, expect, it } from 'vitest'
import { evictedBetween, mostTellingHead } from './kept-sets.ts'

describe('evictedBetween', () => {
  it('lists per head what was kept or read and is gone', () => {
    const before = [
      [
        [0, 1, 2],
        [0, 1, 2],
      ],
    ]
    const after = [
      [
        [0, 2, 4],
        [0, 1, 2, 3, 4],
      ],
    ]
    expect(evictedBetween(before, after, { before: 3, after: 5 })).toEqual([
      { layer: 0, head: 0, positions: [1, 3] },
    ])
  })

  it('counts a whole prompt as read by the first forward', () => {
    expect(evictedBetween([], [[[5, 6]]], { before: 0, after: 7 })).toEqual([
      { layer: 0, head: 0, positions: [0, 1, 2, 3, 4] },
    ])
  })
})

describe('mostTellingHead', () => {
  it('is the head that keeps the most tokens outside the sliding window of its size', () => {
    const kept = [
      [
        [7, 8, 9],
        [0, 8, 9],
      ],
      [
        [0, 1, 9],
        [1, 2, 3],
      ],
    ]
    expect(mostTellingHead(kept, 10)).toEqual({ layer: 1, head: 1 })
  })

  it('is the first head when all keep the newest', () => {
    expect(mostTellingHead([[[8, 9]], [[8, 9]]], 10)).toEqual({ layer: 0, head: 0 })
  })
})
