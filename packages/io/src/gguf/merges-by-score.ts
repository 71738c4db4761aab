/**
 * Merges of a SentencePiece vocabulary, best first: whatever two tokens put together make a third, by its score.
 * @param vocab from tokens to ids
 * @see transformers 4.57.1 convert_slow_tokenizer.py, `generate_merges`
 */
export function mergesByScore(
  vocab: Readonly<Record<string, number>>,
  scoreOf: (id: number) => number,
): string[][] {
  const ids = new Map(Object.entries(vocab))
  const merges = [...ids].flatMap(([token, id]) => {
    const letters = [...token]
    const halves = letters
      .slice(1)
      .map((_, i) => [letters.slice(0, i + 1).join(''), letters.slice(i + 1).join('')])
    return halves
      .filter((pair) => pair.every((half) => ids.has(half)))
      .sort(([a, b], [c, d]) => ids.get(a!)! - ids.get(c!)! || ids.get(b!)! - ids.get(d!)!)
      .map((pair) => ({ pair, score: scoreOf(id), lengths: pair.map((half) => [...half].length) }))
  })
  return merges
    .sort((a, b) => b.score - a.score || b.lengths[0]! - a.lengths[0]! || b.lengths[1]! - a.lengths[1]!)
    .map(({ pair }) => pair)
}
