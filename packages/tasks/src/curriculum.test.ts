import { describe, expect, it } from 'vitest'
import { curriculum } from './curriculum.ts'
import { type TaskName, tasks } from './tasks/index.ts'

const names = Object.keys(tasks) as TaskName[]
const wordsAt = (name: TaskName, difficulty: number): number => {
  const { length } = curriculum(name, { difficulty }).options
  return 'targetWords' in length ? length.targetWords : 0
}

describe('curriculum', () => {
  it.each(names)('makes %s longer in small steps that all fit', (name) => {
    expect([wordsAt(name, 0), wordsAt(name, 0.5), wordsAt(name, 1)]).toEqual([64, 256, 1024])
    for (let step = 1; step <= 50; step++) {
      const growth = wordsAt(name, step / 50) / wordsAt(name, (step - 1) / 50)
      expect(growth).toBeGreaterThan(1)
      expect(growth).toBeLessThan(1.08)
      expect(curriculum(name, { difficulty: step / 50 }).sample(1).questions.length).toBeGreaterThan(0)
    }
  })

  it('never makes a count smaller, and ends where the table says', () => {
    const factsAt = (difficulty: number): number =>
      (curriculum('recall', { difficulty }).options as { facts?: number }).facts ?? 0
    const facts = Array.from({ length: 19 }, (_, i) => factsAt(i / 18))
    expect(facts).toEqual(Array.from({ length: 19 }, (_, i) => 2 + i))
  })

  it.each(names.filter((name) => name.startsWith('ruler-like')))('ends with %s as it is defined', (name) => {
    const { length, ...defined } = tasks[name]().options
    expect(curriculum(name, { difficulty: 1 }).options).toEqual({ ...defined, length: { targetWords: 1024 } })
    expect(length).toEqual({ targetWords: 4096 })
  })

  it('refuses what it cannot make', () => {
    expect(() => curriculum('recall', { difficulty: 1.1 })).toThrow(/difficulty must be in 0…1; got 1.1/)
    expect(() => curriculum('recall', { difficulty: 0, minWords: 10 })).toThrow(
      /minWords must be an integer, 64/,
    )
    expect(() => curriculum('recall', { difficulty: 0, maxWords: 100 })).toThrow(
      /maxWords must be an integer, 1024/,
    )
    expect(() => curriculum('code', { difficulty: 0, setting: 'question-first' })).toThrow(
      /no setting question-first/,
    )
    expect(() => curriculum('ruler-like-qa-1', { difficulty: 0, setting: 'interleaved' })).toThrow(
      /no setting interl/,
    )
  })
})
