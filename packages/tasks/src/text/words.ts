/** A word is a run of letters, digits, `_` and `-`, an ellipsis, or one other mark. */
const wordPattern = /[\p{L}\p{N}_-]+|\.{3}|\S/gu

/** The words of a text; punctuation marks count as words. */
export function splitWords(text: string): string[] {
  return text.match(wordPattern) ?? []
}

/** How many words {@link splitWords} finds. */
export function countWords(text: string): number {
  return splitWords(text).length
}
