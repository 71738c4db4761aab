import { failOption, requireCount } from './option-error.ts'

/**
 * How long a text is to be, questions and answers included. It comes out no longer, and shorter by at most a tenth or 12
 * words, whichever is more. Tokens are counted on the whole text by the caller's function.
 */
export type TargetLength =
  | { readonly targetWords: number }
  | { readonly targetTokens: number; readonly countTokens: (text: string) => number }

/** The number that was asked for, words or tokens. */
export function targetOf(length: TargetLength): number {
  return 'targetWords' in length ? length.targetWords : length.targetTokens
}

/** Each try counts the whole text once; the guesses settle after two or three. */
const tries = 12

/**
 * Finds how many words give the wanted length and makes the text.
 * @param make makes the text of a number of words, the same for the same number
 * @throws RangeError when no number of words comes near enough
 */
export function fitLength<T extends { readonly text: string }>(
  length: TargetLength,
  make: (words: number) => T,
): T {
  if ('targetWords' in length) {
    requireCount('length.targetWords', length.targetWords, { least: 1 })
    return make(length.targetWords)
  }
  const { targetTokens, countTokens } = length
  requireCount('length.targetTokens', targetTokens, { least: 1 })
  let words = targetTokens
  let counted = 0
  for (let i = 0; i < tries; i++) {
    const made = make(words)
    counted = countTokens(made.text)
    if (!(counted > 0)) failOption(`countTokens gave ${counted} for a text`, 'return how many tokens it has')
    if (counted <= targetTokens && counted >= targetTokens - Math.max(0.1 * targetTokens, 12)) return made
    // Aims below the target, because a text of the same number of words may have a few more tokens.
    words = Math.max(1, Math.floor((words * targetTokens * 0.97) / counted))
  }
  return failOption(
    `no text of ${targetTokens} tokens was found: the last one had ${counted}`,
    'raise length.targetTokens, or check that countTokens counts any text alike',
  )
}
