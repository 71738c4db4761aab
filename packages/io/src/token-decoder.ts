import { isJsonObject } from './json-file.ts'
import { malformed } from './malformed.ts'
import { bytesOfToken, decodeLossy, decodeStrict, incompleteTail } from './token-bytes.ts'

/** Text that became certain, and the index of the token that completed it. */
export interface Piece {
  readonly text: string
  readonly token: number
}

/** Turns tokens into text one at a time and keeps back what a later token may still change. */
export interface TokenDecoder {
  push(piece: Piece): readonly Piece[]
  end(): readonly Piece[]
}

/**
 * Compiles the `decoder` of a `tokenizer.json` into a factory of {@link TokenDecoder}s. The library has the same decoders
 * for whole lists of tokens only, and differs from the original on bytes that are no UTF-8 and on a leading byte order
 * mark; this one serves streams and lists alike, so a stream adds up to the whole by construction.
 * @param file for error messages
 * @throws TrimError `TRIMKV_UNSUPPORTED` for a decoder that no family here uses
 * @see huggingface/tokenizers 0.23, tokenizers/src/decoders and pre_tokenizers/byte_level.rs
 */
export function compileTokenDecoder(config: unknown, file: string): () => TokenDecoder {
  const stages = flatten(config, file).map((entry, index, all) => {
    const isFused = all.slice(0, index).some(({ type }) => type === 'Fuse' || type === 'ByteLevel')
    return compileStage(entry, { file, isFused })
  })
  return () => chain(stages.map((create) => create()))
}

interface DecoderEntry {
  readonly type: unknown
  readonly [key: string]: unknown
}

function flatten(config: unknown, file: string): readonly DecoderEntry[] {
  if (!isJsonObject(config)) return refuse(file, config)
  if (config.type !== 'Sequence') return [{ type: config.type, ...config }]
  const parts: unknown = config.decoders
  return Array.isArray(parts) ? parts.flatMap((part) => flatten(part, file)) : refuse(file, config)
}

function compileStage(
  entry: DecoderEntry,
  { file, isFused }: { file: string; isFused: boolean },
): () => TokenDecoder {
  const { type, pattern, content, start, stop } = entry
  if (type === 'ByteLevel' && !isFused) return byteLevel
  if (type === 'ByteFallback' && !isFused) return byteFallback
  if (type === 'Fuse') return () => perToken((text) => text)
  if (type === 'Replace' && !isFused && isJsonObject(pattern) && typeof pattern.String === 'string') {
    const from = pattern.String
    if (typeof content === 'string') return () => perToken((text) => text.replaceAll(from, content))
  }
  // Before `Fuse` it would strip every token, and at the end it would hold text back for ever: nobody asks for either.
  if (type === 'Strip' && isFused && stop === 0 && typeof content === 'string' && typeof start === 'number') {
    return () => stripStart(content, start)
  }
  return refuse(file, entry)
}

const refuse = (file: string, got: unknown): never =>
  malformed({
    code: 'TRIMKV_UNSUPPORTED',
    file,
    field: 'decoder',
    expected: 'ByteLevel, or a sequence of Replace, ByteFallback, Fuse and Strip',
    got,
  })

const chain = (stages: readonly TokenDecoder[]): TokenDecoder => ({
  push: (piece) =>
    stages.reduce<readonly Piece[]>((pieces, stage) => pieces.flatMap((p) => stage.push(p)), [piece]),
  end: () =>
    stages.reduce<readonly Piece[]>(
      (pieces, stage) => [...pieces.flatMap((piece) => stage.push(piece)), ...stage.end()],
      [],
    ),
})

const perToken = (map: (text: string) => string): TokenDecoder => ({
  push: ({ text, token }) => [{ text: map(text), token }],
  end: () => [],
})

/** Drops up to `limit` leading characters of the whole text that equal `content`. */
function stripStart(content: string, limit: number): TokenDecoder {
  let left = limit
  return {
    push({ text, token }) {
      let at = 0
      for (; left > 0 && text[at] === content; at++) left--
      if (at < text.length) left = 0
      return [{ text: text.slice(at), token }]
    },
    end: () => [],
  }
}

/** Each character of a token stands for one byte; bytes that are no UTF-8 become U+FFFD. */
function byteLevel(): TokenDecoder {
  let held: number[] = []
  let last = 0
  return {
    push({ text, token }) {
      last = token
      held.push(...bytesOfToken(text))
      const complete = held.splice(0, held.length - incompleteTail(held))
      return [{ text: decodeLossy(complete), token }]
    },
    end() {
      const rest = held
      held = []
      return rest.length === 0 ? [] : [{ text: decodeLossy(rest), token: last }]
    },
  }
}

/**
 * Tokens `<0x00>` to `<0xFF>` stand for bytes. Only a run of them as a whole is text or not: one bad byte turns every
 * byte of its run into U+FFFD, so a run is held back until another token ends it.
 */
function byteFallback(): TokenDecoder {
  let run: { readonly byte: number; readonly token: number }[] = []
  const endRun = (): Piece[] => {
    const ended = run
    run = []
    const text = decodeStrict(ended.map(({ byte }) => byte))
    if (text === undefined) return ended.map(({ token }) => ({ text: '\ufffd', token }))
    let at = -1
    return Array.from(text, (character) => {
      at += Buffer.byteLength(character)
      return { text: character, token: ended[at]!.token }
    })
  }
  return {
    push(piece) {
      const hex = /^<0x([0-9a-fA-F]{2})>$/.exec(piece.text)?.[1]
      if (hex === undefined) return [...endRun(), piece]
      run.push({ byte: Number.parseInt(hex, 16), token: piece.token })
      return []
    },
    end: endRun,
  }
}
