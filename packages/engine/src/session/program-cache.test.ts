import { expect, it } from 'vitest'
import { ProgramCache } from './program-cache.ts'

function fakePrograms() {
  const freed: string[] = []
  let recorded = 0
  const record = (key: string) => () => {
    recorded++
    return { [Symbol.dispose]: () => void freed.push(key) }
  }
  return { freed, record, recorded: () => recorded }
}

it('records a program once and frees the least recently used', () => {
  const { freed, record, recorded } = fakePrograms()
  const cache = new ProgramCache(2)
  for (const key of ['a', 'b', 'a', 'c', 'a']) cache.get(key, record(key))
  expect(recorded()).toBe(3)
  expect(freed).toEqual(['b'])
})

it('frees what it is told to, and everything when disposed', () => {
  const { freed, record } = fakePrograms()
  const cache = new ProgramCache(4)
  for (const key of ['new 1', 'new 512', 'new 2']) cache.get(key, record(key))
  cache.drop((key) => key !== 'new 1')
  expect(freed).toEqual(['new 512', 'new 2'])
  cache[Symbol.dispose]()
  expect(freed).toEqual(['new 512', 'new 2', 'new 1'])
})
