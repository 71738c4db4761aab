import { factClasses, type WordClass, wordClasses } from './word-classes.ts'

/** What was seen of one head, summed over moments and texts. */
export interface HeadCounts {
  /** Σ β over tokens read, and how many. */
  beta: number
  tokens: number
  /** Slots looked at. */
  slots: number
  /** Slots with one of the first tokens of the text, and how many there could have been. */
  first: number
  firstPossible: number
  /** Slots with one of the newest tokens, as many as the budget. */
  newest: number
  /** Slots with words of facts that are older. */
  olderFacts: number
  readonly kept: Record<WordClass, number>
}

/** First tokens of a text that count as sinks. */
const sinkTokens = 4

const noneKept = (): Record<WordClass, number> =>
  Object.fromEntries(wordClasses.map((name) => [name, 0])) as Record<WordClass, number>

export const emptyCounts = (): HeadCounts => ({
  beta: 0,
  tokens: 0,
  slots: 0,
  first: 0,
  firstPossible: 0,
  newest: 0,
  olderFacts: 0,
  kept: noneKept(),
})

export interface Moment {
  /** Index in the text of the token in each slot of the head. */
  readonly positions: readonly number[]
  /** Tokens read so far. */
  readonly seen: number
  readonly budget: number
  /** Per word; token i + 1 is word i. */
  readonly classes: readonly WordClass[]
}

/** Adds what a head holds at one moment. */
export function countMoment(counts: HeadCounts, { positions, seen, budget, classes }: Moment): void {
  counts.slots += positions.length
  counts.firstPossible += sinkTokens
  for (const position of positions) {
    const isNewest = position >= seen - budget
    // The begin token is no word.
    const name = classes[position - 1]
    if (position < sinkTokens) counts.first++
    if (isNewest) counts.newest++
    if (!name) continue
    counts.kept[name]++
    if (!isNewest && factClasses.includes(name)) counts.olderFacts++
  }
}

export type HeadKind = 'sliding window' | 'content store' | 'sink' | 'mixed'

/** A head, and the figures that say what it is. */
export interface HeadSummary {
  readonly layer: number
  readonly head: number
  readonly kind: HeadKind
  readonly meanBeta: number
  /** Share of slots with one of the newest tokens, as many as the budget. */
  readonly newest: number
  /** Of the slots with older tokens, the share with keys or values of facts or numbers of codes. */
  readonly facts: number
  /** Share of the first four tokens that are held. */
  readonly first: number
  readonly kept: Readonly<Record<WordClass, number>>
}

/** The rule in words, for the report. */
export const kindRule: string = `The first that holds: *sliding window*, at least three quarters of the slots hold one of the M newest tokens; *content
store*, of the slots with older tokens, those with words of facts (keys, values, numbers of codes) are at least twice the share
that such words have of the text; *sink*, at least half of the first ${sinkTokens} tokens of the text are held; else *mixed*.`

/** @param factsOfText share of the text's words that are words of facts */
export function headKind(
  { newest, facts, first }: Pick<HeadSummary, 'newest' | 'facts' | 'first'>,
  factsOfText: number,
): HeadKind {
  if (newest >= 0.75) return 'sliding window'
  if (facts >= 2 * factsOfText) return 'content store'
  return first >= 0.5 ? 'sink' : 'mixed'
}

const sharesOf = (counts: Readonly<Record<WordClass, number>>, total: number): Record<WordClass, number> =>
  Object.fromEntries(wordClasses.map((name) => [name, counts[name] / Math.max(total, 1)])) as Record<
    WordClass,
    number
  >

const factShare = (shares: Readonly<Record<WordClass, number>>): number =>
  factClasses.reduce((sum, name) => sum + shares[name], 0)

/** What the report and the pictures are made from. */
export interface RetentionSummary {
  readonly budget: number
  readonly texts: number
  readonly heads: readonly HeadSummary[]
  /** Share of slots of all heads per class. */
  readonly kept: Readonly<Record<WordClass, number>>
  /** Share of the tokens read so far per class, over the same moments. */
  readonly read: Readonly<Record<WordClass, number>>
}

/** Everything seen, per layer and head. */
export interface RetentionCounts {
  readonly budget: number
  readonly texts: number
  readonly heads: readonly (readonly HeadCounts[])[]
  /** Tokens read so far per class, summed over moments, and of any class. */
  readonly read: Readonly<Record<WordClass, number>>
  readonly readTokens: number
}

export function summary({ budget, texts, heads, read, readTokens }: RetentionCounts): RetentionSummary {
  const readShares = sharesOf(read, readTokens)
  const all = heads.flat()
  const slots = all.reduce((sum, counts) => sum + counts.slots, 0)
  const kept = noneKept()
  for (const counts of all) for (const name of wordClasses) kept[name] += counts.kept[name]
  return {
    budget,
    texts,
    heads: heads.flatMap((layer, l) =>
      layer.map((counts, h): HeadSummary => {
        const shares = sharesOf(counts.kept, counts.slots)
        const figures = {
          newest: counts.newest / counts.slots,
          facts: counts.olderFacts / Math.max(counts.slots - counts.newest, 1),
          first: counts.first / counts.firstPossible,
        }
        const kind = headKind(figures, factShare(readShares))
        return { layer: l, head: h, kind, meanBeta: counts.beta / counts.tokens, ...figures, kept: shares }
      }),
    ),
    kept: sharesOf(kept, slots),
    read: readShares,
  }
}
