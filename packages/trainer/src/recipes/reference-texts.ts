import type { CopyEntry, TaskEntry } from '../data/task-stage.ts'

type Settings = { readonly oneOf: readonly ('stream' | 'interleaved' | 'question-first')[] }

/** Half of the texts ask at the end, a third all along, the rest announce what they will ask. */
const settings: Settings = {
  oneOf: [
    'stream',
    'stream',
    'stream',
    'stream',
    'stream',
    'interleaved',
    'interleaved',
    'interleaved',
    'question-first',
    'question-first',
  ],
}

const atLeast = (least: number, value: number): number => Math.max(least, Math.floor(value))

export interface TextMixture {
  /** Words of a text. */
  readonly words: number
  /** `dense` texts consist of facts and questions alone, `noisy` ones of up to as many, among noise. */
  readonly noise: 'dense' | 'noisy'
  readonly share: number
  readonly settings?: Settings
  /** Facts of a text at most, and twice as many questions; as many as fit unless given. */
  readonly factsAtMost?: { readonly recall: number; readonly chain: number; readonly code: number }
}

/**
 * Recall, chain and code texts of a length, with as many facts and questions as fit into it at most. Every option fits
 * with every other, announcements included: recall takes 4 words per fact and question, chain 4 and 9, code two or three
 * more than its numbers, and an announcement 3 per fact.
 */
export function mixedTexts({ words, noise, share, ...limits }: TextMixture): TaskEntry[] {
  const { settings: given = settings, factsAtMost = { recall: 20, chain: 8, code: 6 } } = limits
  const asked = (facts: number, fitting: number): number =>
    limits.factsAtMost ? Math.min(2 * facts, fitting) : fitting
  const count = (most: number, least = 1) =>
    noise === 'dense' ? most : { from: Math.min(least, most), to: most }
  const recallFacts = Math.min(factsAtMost.recall, atLeast(1, words / 14))
  const chainFacts = Math.min(factsAtMost.chain, atLeast(1, words / 21))
  const codeWords = Math.min(8, atLeast(3, words / 10))
  const codeFacts = Math.min(factsAtMost.code, atLeast(1, words / (3 * (codeWords + 2))))
  return [
    {
      task: 'recall',
      words,
      share: 0.45 * share,
      options: {
        setting: given,
        noise: { oneOf: ['plain', 'mentioning', 'mentioning'] },
        facts: count(recallFacts, 2),
        questions: count(asked(recallFacts, atLeast(1, (words - 7 * recallFacts) / 4)), 2),
      },
    },
    {
      task: 'chain',
      words,
      share: 0.3 * share,
      options: {
        setting: given,
        noise: { oneOf: ['plain', 'mentioning', 'mentioning'] },
        facts: count(chainFacts),
        steps: count(asked(chainFacts, atLeast(1, (words - 7 * chainFacts) / 9)), 2),
        hops: { from: 1, to: 4 },
      },
    },
    {
      task: 'code',
      words,
      share: 0.25 * share,
      options: {
        setting: { oneOf: ['stream', 'stream', 'interleaved'] },
        noise: { oneOf: ['plain', 'mentioning', 'mentioning'] },
        facts: count(codeFacts),
        questions: count(
          asked(codeFacts, atLeast(1, (words - codeFacts * (codeWords + 2)) / (codeWords + 3))),
        ),
        codeWords: { from: 3, to: codeWords },
      },
    },
  ]
}

/** Random words, 3 to 20, said again and again for a row: from these a model learns to look things up at all. */
export const repeatedWords = (words: readonly string[], share: number): CopyEntry[] =>
  [
    { tokens: { from: 3, to: 7 }, repeats: 8 },
    { tokens: { from: 8, to: 15 }, repeats: 4 },
    { tokens: { from: 16, to: 20 }, repeats: 3 },
  ].map((size) => ({ task: 'copy', alphabet: words.join(' '), ...size, share: share / 3 }))
