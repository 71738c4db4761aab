import { isJsonObject } from './json-file.ts'
import { malformed } from './malformed.ts'

/** A token that is found in a text before anything else, as `tokenizer.json` lists it. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
  /** It is looked for in the normalised text. */
  readonly normalized: boolean
  /** White space before it belongs to it. */
  readonly lstrip: boolean
  /** White space after it belongs to it. */
  readonly rstrip: boolean
}

/** Published tokenizers have up to some thousands; every text is searched for each of them. */
const mostTokens = 2 ** 14
/** Published ones have some tens of characters; the library that searches for them takes about 150 bytes for each. */
const longestContent = 1024

/** @throws TrimError `TRIMKV_FORMAT`; `TRIMKV_UNSUPPORTED` for more than 2^14, or one of over 1024 characters */
export function readAddedTokens(value: unknown, file: string): readonly AddedToken[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return malformed({ file, field: 'added_tokens', expected: 'a list', got: value })
  if (value.length > mostTokens) {
    const code = 'TRIMKV_UNSUPPORTED'
    malformed({ code, file, field: 'added_tokens', expected: `at most ${mostTokens}`, got: value.length })
  }
  return value.map((token: unknown, index) => {
    const field = `added_tokens[${index}]`
    if (!isJsonObject(token)) return malformed({ file, field, expected: 'an object', got: token })
    const { id, content } = token
    if (typeof id !== 'number' || typeof content !== 'string' || content === '') {
      return malformed({ file, field, expected: 'an id and a content', got: token })
    }
    if (content.length > longestContent) {
      const expected = `at most ${longestContent} characters`
      malformed({
        code: 'TRIMKV_UNSUPPORTED',
        file,
        field: `${field}.content`,
        expected,
        got: content.length,
      })
    }
    const flag = (name: string): boolean => token[name] === true
    return {
      ...token,
      id,
      content,
      special: flag('special'),
      normalized: flag('normalized'),
      lstrip: flag('lstrip'),
      rstrip: flag('rstrip'),
    }
  })
}

/**
 * A function that takes the white space out of a text that belongs to added tokens. The library strips with JavaScript's
 * notion of white space, which has U+FEFF and lacks U+0085; the original strips Unicode's `White_Space`.
 */
export function stripAroundTokens(added: readonly AddedToken[]): (text: string) => string {
  const tokens = added.filter((token) => !token.normalized)
  if (!tokens.some(({ lstrip, rstrip }) => lstrip || rstrip)) return (text) => text
  const byContent = new Map(tokens.map((token) => [token.content, token]))
  // At each place the longest token wins.
  const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length)
  const anyToken = new RegExp(`(${longestFirst.map(escapePattern).join('|')})`)
  return (text) => {
    const parts = text.split(anyToken)
    for (let i = 1; i < parts.length; i += 2) {
      const token = byContent.get(parts[i]!)
      if (token?.lstrip) parts[i - 1] = trimEnd(parts[i - 1]!)
      if (token?.rstrip) parts[i + 1] = trimStart(parts[i + 1]!)
    }
    return parts.join('')
  }
}

const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

const whiteSpace = /\p{White_Space}/u

function trimStart(text: string): string {
  let start = 0
  while (start < text.length && whiteSpace.test(text[start]!)) start++
  return text.slice(start)
}

function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && whiteSpace.test(text[end - 1]!)) end--
  return text.slice(0, end)
}
