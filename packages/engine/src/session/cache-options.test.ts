import { policies } from '@trimkv/cache'
import type { DecoderSpec } from '@trimkv/models'
import { describe, expect, it } from 'vitest'
import { type CacheOptions, resolveCacheOptions } from './cache-options.ts'

const spec = { layers: 2, heads: 4, kvHeads: 2, headDim: 8 } as DecoderSpec
const resolve = (options: CacheOptions, hasGates = false) =>
  resolveCacheOptions(options, { spec, hasGates, contextTokens: 200, batch: 1 })

describe('resolveCacheOptions', () => {
  it('chooses trimkv with gates and full without, a budget of 512 and a buffer of 128', () => {
    expect(resolve({}, true)).toMatchObject({
      policy: policies.trimkv,
      budget: 512,
      mode: { mode: 'buffered', buffer: 128 },
      kvDtype: 'f32',
      chunk: undefined,
      beyondLimit: false,
      positionOffset: 0,
    })
    expect(resolve({}).policy).toBe(policies.full)
  })

  it('takes policies by name, with options, and as values', () => {
    expect(resolve({ policy: 'snapkv:window=4' })).toMatchObject({
      policy: policies.snapkv,
      policyOptions: { window: 4 },
    })
    expect(resolve({ policy: policies.h2o })).toMatchObject({ policy: policies.h2o, policyOptions: {} })
    const options = { window: 3 }
    expect(resolve({ policy: { policy: policies.snapkv, options } }).policyOptions).toBe(options)
  })

  it('measures budgets in tokens, shares of the sequence and bytes', () => {
    const tokens = (budget: number | string) => resolve({ policy: 'streaming', budget, buffer: 4 }).budget
    expect([tokens(64), tokens('64'), tokens('64tok'), tokens('25%')]).toEqual([64, 64, 64, 50])
    // 2 layers · 2 heads · (2 · 8 · 4 + 4) bytes a token, 4 of them for the buffer, and two counts of 4 bytes a head
    expect(tokens(`${20 * 272 + 32}B`)).toBe(16)
    expect(tokens(`${20 * 272 + 31}B`)).toBe(15)
    expect(() => tokens('600B')).toThrow(/too small for streaming[\s\S]*at least 1392B/)
    expect(resolve({ policy: 'full', budget: '1B' }).budget).toBe(0)
  })

  it('reads one token at a time in exact mode', () => {
    expect(resolve({ exact: true })).toMatchObject({ mode: { mode: 'exact' }, chunk: 1 })
    expect(resolve({ exact: true, chunk: 1 })).toMatchObject({ chunk: 1 })
  })

  it.each<CacheOptions>([
    { exact: true, buffer: 1 },
    { exact: true, chunk: 0 },
    { chunk: 1.5 },
    { positionOffset: -1 },
    { kvDtype: 'i32' as 'f32' },
    { policy: 'nothing' },
    { budget: 'all' },
  ])('refuses %o', (options) => {
    expect(() => resolve(options)).toThrow(expect.objectContaining({ code: 'TRIMKV_OPTION' }))
  })
})
