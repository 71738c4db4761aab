import { describe, expect, it } from 'vitest'
import { createRandom } from './random.ts'

const numbers = (key: string, count = 1000): number[] => {
  const random = createRandom(key)
  return Array.from({ length: count }, () => random.next())
}

describe('createRandom', () => {
  it('follows the published generator from the same state', () => {
    // xoshiro128** from the state the key hashes to, in exact integer arithmetic.
    const state = [...stateOf('recall/1/0')]
    const mask = 0xffffffffn
    const rotl = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask
    const expected = Array.from({ length: 50 }, () => {
      const result = (rotl((state[1]! * 5n) & mask, 7n) * 9n) & mask
      const t = (state[1]! << 9n) & mask
      state[2]! ^= state[0]!
      state[3]! ^= state[1]!
      state[1]! ^= state[2]!
      state[0]! ^= state[3]!
      state[2]! ^= t
      state[3] = rotl(state[3]!, 11n)
      return Number(result) / 2 ** 32
    })
    expect(numbers('recall/1/0', 50)).toEqual(expected)
  })

  it('gives another stream for every key', () => {
    const firsts = Array.from({ length: 2000 }, (_, i) => numbers(`task/1/${i}`, 1)[0])
    expect(new Set(firsts).size).toBe(2000)
    const mean = firsts.reduce<number>((sum, value) => sum + value!, 0) / 2000
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.03)
  })

  it('spreads integers, samples and shuffles evenly', () => {
    const random = createRandom('even')
    const counts = { int: [0, 0, 0, 0, 0], sample: [0, 0, 0, 0, 0], first: [0, 0, 0, 0, 0] }
    for (let i = 0; i < 5000; i++) {
      counts.int[random.int(5)]!++
      for (const item of random.sample([0, 1, 2, 3, 4], 2)) counts.sample[item]!++
      counts.first[random.shuffle([0, 1, 2, 3, 4])[0]!]!++
    }
    for (const count of [...counts.int, ...counts.first]) expect(Math.abs(count - 1000)).toBeLessThan(120)
    for (const count of counts.sample) expect(Math.abs(count - 2000)).toBeLessThan(160)
  })

  it('samples places without repeating one and leaves the source alone', () => {
    const source = Array.from({ length: 50 }, (_, i) => i)
    const random = createRandom('places')
    expect(new Set(random.sample(source, 50)).size).toBe(50)
    expect(source).toEqual(Array.from({ length: 50 }, (_, i) => i))
  })
})

function stateOf(key: string): bigint[] {
  return [1n, 2n, 3n, 4n].map((salt) => {
    const mask = 0xffffffffn
    let hash = 0x811c9dc5n ^ salt
    for (const char of key) hash = ((hash ^ BigInt(char.charCodeAt(0))) * 0x01000193n) & mask
    hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & mask
    hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & mask
    return hash ^ (hash >> 16n)
  })
}
