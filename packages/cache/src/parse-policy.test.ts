import { describe, expect, it } from 'vitest'
import { parsePolicy } from './parse-policy.ts'
import { policies } from './policies/index.ts'
import { definePolicy, everything } from './policy.ts'

describe('parsePolicy', () => {
  it('reads a name and options, numbers as numbers', () => {
    const parsed = parsePolicy('snapkv:window=16, kernel=5,pool=avg')
    expect(parsed).toEqual({
      name: 'snapkv',
      policy: policies.snapkv,
      options: { window: 16, kernel: 5, pool: 'avg' },
    })
    expect(parsePolicy('r-kv:lambda=0.07').options).toEqual({ lambda: 0.07 })
    expect(parsePolicy('tova')).toEqual({ name: 'tova', policy: policies.tova, options: {} })
  })

  it.each([
    ['snapvk', /there is no policy "snapvk"[\s\S]*did you mean "snapkv"/],
    ['nothing-like-it', /one of full, streaming/],
    ['snapkv:windw=8', /snapkv has no option "windw"[\s\S]*did you mean "window"/],
    ['snapkv:pool=mean', /snapkv: pool cannot be "mean"[\s\S]*max, avg/],
    ['snapkv:window=0', /snapkv: window must be an integer ≥ 1, got "0"/],
    ['snapkv:window=2.5', /must be an integer/],
    ['r-kv:lambda=x', /r-kv: lambda must be a number ≥ 0 ≤ 1, got "x"/],
    ['snapkv:window', /"window" in "snapkv:window" is not an option/],
    ['snapkv:window=', /is not an option/],
    ['snapkv:window=8,window=9', /sets window twice/],
    ['full:when=prefill', /full: when cannot be "prefill"/],
    ['constructor', /there is no policy "constructor"/],
    ['snapkv:toString=1', /has no option "toString"/],
  ])('refuses %s', (text, message) => {
    expect(() => parsePolicy(text)).toThrow(message)
  })

  it('chooses from a table of other policies', () => {
    const mine = definePolicy({
      name: 'mine',
      source: 'test',
      phases: ['decode'],
      options: {},
      parts: () => ({ allocate: everything() }),
    })
    expect(parsePolicy('mine', { mine }).policy).toBe(mine)
    expect(() => parsePolicy('full', { mine })).toThrow(/one of mine/)
  })
})

describe('definePolicy', () => {
  const base = { source: 'test', phases: ['decode'] as const, parts: () => ({ allocate: everything() }) }
  it('refuses names, phases and options that cannot work', () => {
    expect(() => definePolicy({ ...base, name: 'My Policy', options: {} })).toThrow(/cannot be the name/)
    expect(() => definePolicy({ ...base, name: 'mine', phases: [], options: {} })).toThrow(
      /at least one phase/,
    )
    const options = { when: { type: 'int', default: 1, doc: 'x' } } as const
    expect(() => definePolicy({ ...base, name: 'mine', options })).toThrow(/`when` is added by itself/)
    expect(() => definePolicy({ ...base, name: 'mine', options: {}, when: 'prefill' })).toThrow(
      /when=prefill is none of its phases[\s\S]*for decode/,
    )
  })
})
