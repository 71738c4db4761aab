import { seededRandom } from '@trimkv/testing'
import { describe, expect, it } from 'vitest'
import { type Lifetime, planSlab } from './slab-plan.ts'

function overlapping(buffers: readonly Lifetime[], offsets: readonly number[]): string[] {
  const problems: string[] = []
  for (const [i, a] of buffers.entries()) {
    for (const [j, b] of buffers.slice(0, i).entries()) {
      const inTime = a.first <= b.last && b.first <= a.last
      const inSpace = offsets[i]! < offsets[j]! + b.bytes && offsets[j]! < offsets[i]! + a.bytes
      if (inTime && inSpace) problems.push(`${j} and ${i}`)
    }
  }
  return problems
}

/** No plan can be smaller than what is in use at one command. */
const peak = (buffers: readonly Lifetime[]): number =>
  Math.max(
    0,
    ...buffers.map(({ first }) =>
      buffers.filter((b) => b.first <= first && first <= b.last).reduce((sum, b) => sum + b.bytes, 0),
    ),
  )

describe('planSlab', () => {
  it('never lets buffers share bytes while both are in use, and stays near the least that is possible', () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = seededRandom(seed)
      const buffers = Array.from({ length: random.int(0, 60) }, (): Lifetime => {
        const first = random.int(0, 40)
        const last = random.next() < 0.1 ? Number.POSITIVE_INFINITY : first + random.int(0, 6)
        return { bytes: random.next() < 0.1 ? 0 : random.int(1, 40) * 64, first, last }
      })
      const { offsets, bytes } = planSlab(buffers)
      expect(overlapping(buffers, offsets), `seed ${seed}`).toEqual([])
      expect(offsets.every((offset, i) => offset % 64 === 0 && offset + buffers[i]!.bytes <= bytes)).toBe(
        true,
      )
      expect(bytes).toBeLessThanOrEqual(1.5 * peak(buffers))
    }
  })

  it('runs a chain of any length in the space of two buffers', () => {
    const chain = Array.from({ length: 100 }, (_, i): Lifetime => ({ bytes: 100, first: i, last: i + 1 }))
    expect(planSlab(chain).bytes).toBe(256)
  })

  it('fills the smallest gap that fits', () => {
    const always = { first: 0, last: 9 }
    const buffers = [
      { bytes: 640, first: 0, last: 1 },
      { bytes: 576, ...always },
      { bytes: 256, first: 0, last: 1 },
      { bytes: 192, ...always },
      { bytes: 128, first: 5, last: 6 },
    ]
    const { offsets } = planSlab(buffers)
    expect(offsets).toEqual([0, 640, 1216, 1472, 1216])
  })
})
