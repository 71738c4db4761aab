import { describe, expect, it } from 'vitest'
import { allowedNewTokens } from './sequence-length.ts'

const spec = { maxLength: 100 }
const allowed = (promptTokens: number, maxNewTokens?: number, options = {}) =>
  allowedNewTokens(spec, { promptTokens, maxNewTokens }, options)

describe('allowedNewTokens', () => {
  it('is 256, or what the limit leaves; the last new token is never read', () => {
    expect(allowed(90)).toBe(11)
    expect(allowed(90, 11)).toBe(11)
    expect(allowed(10, 5)).toBe(5)
    expect(allowedNewTokens({ maxLength: 1000 }, { promptTokens: 10 }, {})).toBe(256)
  })

  it.each([
    [90, 12, {}],
    [101, undefined, {}],
    [50, 11, { positionOffset: 41 }],
  ])('refuses a prompt of %s with %s new tokens and %o', (prompt, maxNew, options) => {
    expect(() => allowed(prompt, maxNew, options)).toThrow(
      expect.objectContaining({ code: 'TRIMKV_POSITION_LIMIT' }),
    )
    expect(allowed(prompt, maxNew, { ...options, beyondLimit: true })).toBe(maxNew ?? 256)
  })

  it.each([0, -1, 1.5])('refuses %s new tokens', (maxNew) => {
    expect(() => allowed(1, maxNew)).toThrow(expect.objectContaining({ code: 'TRIMKV_OPTION' }))
  })
})
