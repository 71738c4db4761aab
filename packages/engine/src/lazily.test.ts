import { expect, it } from 'vitest'
import { lazily } from './lazily.ts'

it('loads once for all callers, and again after a failure', async () => {
  let calls = 0
  const load = lazily(() => (++calls === 1 ? Promise.reject(new Error('busy')) : Promise.resolve({ calls })))
  expect(calls).toBe(0)
  const [first, second] = [load(), load()]
  await expect(first).rejects.toThrow('busy')
  await expect(second).rejects.toThrow('busy')
  const loaded = await load()
  expect(loaded).toEqual({ calls: 2 })
  expect(await load()).toBe(loaded)
})
