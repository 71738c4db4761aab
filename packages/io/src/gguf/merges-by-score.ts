import { malformed } from '../malformed.ts'

/** Every place in a token is looked at. SentencePiece makes tokens of up to 16 characters, unless it is told otherwise. */
const longestToken = 256
/** Published vocabularies have two or three for a token, and no more than 600,000. */
const mostMerges = (tokens: number): number => Math.min(8 * tokens + 2 ** 16, 2 ** 20)

interface Merge {
  readonly pair: readonly [string, string]
  readonly ids: readonly [number, number]
  /** In characters. */
  readonly lengths: readonly [number, number]
  readonly score: number
}

/**
 * Merges of a SentencePiece vocabulary, best first: whatever two tokens put together make a third, by its score.
 * @param vocab from tokens to ids
 * @throws TrimError `TRIMKV_UNSUPPORTED` for a token of over 256 characters, or more merges than a vocabulary of text has
 * @see transformers 4.57.1 convert_slow_tokenizer.py, `generate_merges`
 */
export function mergesByScore(
  vocab: Readonly<Record<string, number>>,
  { scoreOf, file }: { readonly scoreOf: (id: number) => number; readonly file: string },
): (readonly [string, string])[] {
  const unsupported = (expected: string, got: number): never =>
    malformed({ code: 'TRIMKV_UNSUPPORTED', file, field: 'tokenizer.ggml.tokens', expected, got })
  const ids = new Map(Object.entries(vocab))
  const most = mostMerges(ids.size)
  const merges: Merge[] = []
  for (const [token, id] of ids) {
    if (token.length > longestToken) unsupported(`tokens of at most ${longestToken} characters`, token.length)
    merges.push(...mergesOf(token, ids).map((merge) => ({ ...merge, score: scoreOf(id) })))
    if (merges.length > most) unsupported(`at most ${most} pairs of tokens that make another`, merges.length)
  }
  return merges
    .sort((a, b) => b.score - a.score || b.lengths[0] - a.lengths[0] || b.lengths[1] - a.lengths[1])
    .map(({ pair }) => pair)
}

/** The pairs that make a token, by their ids. */
function mergesOf(token: string, ids: ReadonlyMap<string, number>): Omit<Merge, 'score'>[] {
  const merges: Omit<Merge, 'score'>[] = []
  for (let at = 1; at < token.length; at++) {
    const pair = [token.slice(0, at), token.slice(at)] as const
    const [left, right] = [ids.get(pair[0]), ids.get(pair[1])]
    // Half a surrogate pair is no token either.
    if (left === undefined || right === undefined) continue
    merges.push({ pair, ids: [left, right], lengths: [[...pair[0]].length, [...pair[1]].length] })
  }
  return merges.sort((a, b) => a.ids[0] - b.ids[0] || a.ids[1] - b.ids[1])
}
