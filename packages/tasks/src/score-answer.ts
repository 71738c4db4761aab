import type { Question } from './sample.ts'
import { splitWords } from './text/words.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must go.
const controlCharacters = /[\u0000-\u001f]/g

/**
 * Scores a reply to a question, in [0, 1]; what the reply says besides does not count. Control characters are taken for
 * line breaks and case is ignored, as in RULER, whose substring match knows no word boundaries.
 * @param question says how to compare, see {@link Question.match}
 * @param reply    what the model wrote after {@link promptOf}
 * @see Hsieh et al. 2024 (arXiv:2404.06654), string_match_all and string_match_part
 */
export function scoreAnswer(question: Question, reply: string): number {
  const clean = reply.replace(controlCharacters, '\n').trim().toLowerCase()
  const gold = question.answers.map(({ text }) => text.toLowerCase())
  if (question.match === 'words') return shareOfWords(gold, clean)
  const found = gold.filter((text) => clean.includes(text)).length
  return question.match === 'any' ? Math.min(1, found) : found / gold.length
}

function shareOfWords(gold: readonly string[], reply: string): number {
  const wanted = gold.flatMap(splitWords)
  const got = splitWords(reply)
  return wanted.filter((word, i) => got[i] === word).length / wanted.length
}
