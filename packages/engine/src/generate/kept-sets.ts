import type { HeadEviction } from './events.ts'

/** Indices of the tokens each head keeps, ascending: [layer][head][positions]. */
export type KeptSets = readonly (readonly (readonly number[])[])[]

/** Elements of an ascending list that are not in another. */
function missing(from: readonly number[], other: readonly number[]): number[] {
  let at = 0
  return from.filter((position) => {
    while (at < other.length && other[at]! < position) at++
    return other[at] !== position
  })
}

const range = (start: number, end: number): number[] =>
  Array.from({ length: end - start }, (_, i) => start + i)

/**
 * What a forward evicted: tokens kept before it or read by it that are not kept after it.
 * @param seen tokens read before and after the forward
 */
export function evictedBetween(
  before: KeptSets,
  after: KeptSets,
  seen: { readonly before: number; readonly after: number },
): HeadEviction[] {
  const fresh = range(seen.before, seen.after)
  return after.flatMap((heads, layer) =>
    heads.flatMap((kept, head) => {
      const positions = missing([...(before[layer]?.[head] ?? []), ...fresh], kept)
      return positions.length > 0 ? [{ layer, head, positions }] : []
    }),
  )
}

/** A KV head of a layer. */
export interface HeadChoice {
  readonly layer: number
  readonly head: number
}

/**
 * The head to look at: the one that keeps the most tokens older than a sliding window of the same size would, the first
 * of several. It shows best what a policy adds to keeping the newest.
 */
export function mostTellingHead(kept: KeptSets, seen: number): HeadChoice {
  let best: HeadChoice = { layer: 0, head: 0 }
  let most = -1
  for (const [layer, heads] of kept.entries()) {
    for (const [head, positions] of heads.entries()) {
      const windowStart = seen - positions.length
      const older = positions.filter((position) => position < windowStart).length
      if (older > most) {
        most = older
        best = { layer, head }
      }
    }
  }
  return best
}
