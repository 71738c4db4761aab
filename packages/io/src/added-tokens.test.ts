import { describe, expect, it } from 'vitest'
import { type AddedToken, stripAroundTokens } from './added-tokens.ts'

const token = (content: string, flags: Partial<AddedToken> = {}): AddedToken => ({
  id: 0,
  content,
  special: true,
  normalized: false,
  lstrip: false,
  rstrip: false,
  ...flags,
})

describe('stripAroundTokens', () => {
  const strip = stripAroundTokens([
    token('<r>', { rstrip: true }),
    token('<l>', { lstrip: true }),
    token('<both|(.*)>', { lstrip: true, rstrip: true }),
    token('<none>'),
    token('<r>+', {}),
    token('<n>', { normalized: true, lstrip: true, rstrip: true }),
  ])

  it.each([
    ['a <r> \n\u0085\u3000b', 'a <r>b'],
    ['a \t<l> b', 'a<l> b'],
    ['a <both|(.*)> b', 'a<both|(.*)>b'],
    ['a <none> b', 'a <none> b'],
    ['<r> <l> <none> <l>', '<r><l> <none><l>'],
    ['  only spaces  ', '  only spaces  '],
  ])('takes the white space that belongs to a token: %j', (text, stripped) => {
    expect(strip(text)).toBe(stripped)
  })

  it('lets the longest token win', () => {
    expect(strip('<r>+ a')).toBe('<r>+ a')
  })

  it('keeps U+FEFF, which is white space in JavaScript only', () => {
    expect(strip('<r>\ufeff a')).toBe('<r>\ufeff a')
  })

  it('leaves tokens of the normalised text to the library', () => {
    expect(strip('a <n> b')).toBe('a <n> b')
  })

  it('takes linear time on a long run of spaces', () => {
    const text = ' '.repeat(1_000_000)
    const start = performance.now()
    expect(strip(`${text}x<l>`)).toBe(`${text}x<l>`)
    expect(performance.now() - start).toBeLessThan(2_000)
  })
})
