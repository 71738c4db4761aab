import { fail } from '@trimkv/tensor'
import type { Piece, TokenDecoder } from './token-decoder.ts'

/** How ids become text. */
export interface DecodeOptions {
  /** Leaves special tokens out. Default false. */
  readonly skipSpecialTokens?: boolean
}

/** Turns tokens into text as they come. The texts of all calls together are the text of all tokens. */
export interface StreamDecoder {
  /**
   * Text that this token made certain; empty while it ends inside a character.
   * @throws TrimError `TRIMKV_TOKEN_RANGE` for what is no id at all
   */
  push(id: number): string
  /** What is still held back. The decoder is new after this. */
  flush(): string
}

/** The half of a tokenizer that makes text. */
export interface TokenText {
  /**
   * Ids without a token give no text.
   * @throws TrimError `TRIMKV_TOKEN_RANGE` for what is no id at all
   */
  decode(ids: Iterable<number>, options?: DecodeOptions): string
  /** One text per id, which together are `decode(ids)`: a character belongs to the token that completes it. */
  pieces(ids: Iterable<number>, options?: DecodeOptions): string[]
  streamDecoder(options?: DecodeOptions): StreamDecoder
}

interface Vocabulary {
  readonly tokens: readonly (string | undefined)[]
  isSpecial(id: number): boolean
}

export function createTokenText(
  { tokens, isSpecial }: Vocabulary,
  createDecoder: () => TokenDecoder,
): TokenText {
  /** A token that gives text, and its index among all ids. */
  function pieceOf(id: number, token: number, skipSpecialTokens: boolean): Piece | undefined {
    if (!Number.isSafeInteger(id) || id < 0) {
      fail('TRIMKV_TOKEN_RANGE', `a token id is an integer ≥ 0, got ${id}`, { details: { id, index: token } })
    }
    const text = tokens[id]
    return text === undefined || (skipSpecialTokens && isSpecial(id)) ? undefined : { text, token }
  }

  function* decodePieces(ids: Iterable<number>, { skipSpecialTokens = false }: DecodeOptions) {
    const decoder = createDecoder()
    let index = 0
    for (const id of ids) {
      const piece = pieceOf(id, index++, skipSpecialTokens)
      if (piece) yield* decoder.push(piece)
    }
    yield* decoder.end()
  }

  return {
    decode: (ids, options = {}) => join(decodePieces(ids, options)),
    pieces(ids, options = {}) {
      const all = [...ids]
      const texts = all.map(() => '')
      for (const { text, token } of decodePieces(all, options)) texts[token] += text
      return texts
    },
    streamDecoder({ skipSpecialTokens = false } = {}) {
      let decoder = createDecoder()
      return {
        push(id) {
          const piece = pieceOf(id, 0, skipSpecialTokens)
          return piece ? join(decoder.push(piece)) : ''
        },
        flush() {
          const rest = join(decoder.end())
          decoder = createDecoder()
          return rest
        },
      }
    },
  }
}

const join = (pieces: Iterable<Piece>): string => Array.from(pieces, ({ text }) => text).join('')
