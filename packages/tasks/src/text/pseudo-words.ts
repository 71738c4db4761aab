import type { Random } from '../random.ts'

const consonants = 'b d f g h k l m n p r s t v'.split(' ')
const vowels = 'a e i o u'.split(' ')
const adjectives =
  'amber bitter brave brisk calm clever cold coral crisp curly dim dusty eager early fair faint fierce fond frosty gentle giddy glad golden grand hasty hollow humble idle ivory jolly keen kind late lively lucky mellow merry misty modest narrow neat noble pale patient plain polite proud quick quiet rapid rare rough rusty shy silent silver sleek slim small smooth snug soft solid steady stern sturdy subtle sunny swift tame tender tidy tiny vivid warm wild wise witty young'.split(
    ' ',
  )

const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('')
const lower = 'abcdefghijklmnopqrstuvwxyz'.split('')

const times = (count: number, draw: () => string): string => Array.from({ length: count }, draw).join('')

/** A pronounceable word that means nothing: 343 000 of three syllables. */
export const pseudoWord = (random: Random): string =>
  times(3, () => random.pick(consonants) + random.pick(vowels))

/** A pseudo-word as a name. */
export function pseudoName(random: Random): string {
  const word = pseudoWord(random)
  return word.charAt(0).toUpperCase() + word.slice(1)
}

/** `adjective-noun`, the noun being a pseudo-word. */
export const pseudoKey = (random: Random): string => `${random.pick(adjectives)}-${pseudoWord(random)}`

/** Seven digits, the first no zero. */
export const sevenDigits = (random: Random): string => String(1_000_000 + random.int(9_000_000))

export const capitals = (random: Random, count: number): string => times(count, () => random.pick(upper))

export const letters = (random: Random, count: number): string => times(count, () => random.pick(lower))

/** A random UUID, version 4. */
export function uuid(random: Random): string {
  const hex = (count: number): string => times(count, () => random.int(16).toString(16))
  return `${hex(8)}-${hex(4)}-4${hex(3)}-${random.pick(['8', '9', 'a', 'b'])}${hex(3)}-${hex(12)}`
}

/** Wraps a source of texts so that it never gives one twice. There must be more of them than are drawn. */
export function neverTwice(draw: () => string): () => string {
  const given = new Set<string>()
  return () => {
    let text = draw()
    while (given.has(text)) text = draw()
    given.add(text)
    return text
  }
}
