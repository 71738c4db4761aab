import type { Random } from '../random.ts'
import { countWords } from './words.ts'

const subjects =
  'the baker|the ferryman|a young teacher|the old clockmaker|my neighbour|the gardener|a quiet stranger|the miller|the lighthouse keeper|a travelling painter|the librarian|the harbour master'.split(
    '|',
  )
const verbs =
  'mended|carried|described|forgot|painted|borrowed|polished|counted|admired|repaired|sketched|misplaced'.split(
    '|',
  )
const objects =
  'a wooden boat|the garden gate|three clay pots|an unfinished letter|the market stall|a torn sail|the copper kettle|a heavy ledger|the church window|an apple cart|the narrow bridge|a wool blanket'.split(
    '|',
  )
const moments =
  'before dawn|after the rain|in the spring|during the long winter|on a windy morning|when the bells rang|late in the afternoon|at the end of the week'.split(
    '|',
  )
const remarks =
  'nobody asked why|the work went slowly|the children watched|there was little to say|it took longer than expected|the town hardly noticed|that was the custom|everyone agreed'.split(
    '|',
  )
const short = ['Rain fell', 'Time passed', 'Nothing else happened', 'The day went on quietly']

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const forms: readonly ((r: Random) => string)[] = [
  (r) => `${r.pick(subjects)} ${r.pick(verbs)} ${r.pick(objects)} ${r.pick(moments)}`,
  (r) => `${r.pick(moments)}, ${r.pick(subjects)} ${r.pick(verbs)} ${r.pick(objects)}`,
  (r) => `${r.pick(subjects)} ${r.pick(verbs)} ${r.pick(objects)}, and ${r.pick(remarks)}`,
  (r) => `${r.pick(moments)}, ${r.pick(remarks)}`,
]

/** Sentences of an invented essay, without digits or hyphens; together at most 2 words short of `words`. */
export function essay(random: Random, words: number): string[] {
  return fill(words, (left) => {
    const sentence = `${capitalised(random.pick(forms)(random))}.`
    return countWords(sentence) <= left ? sentence : `${random.pick(short)}.`
  })
}

/** Five sentences that are repeated over and over, as filler that carries no information at all. */
const refrain = [
  'The hill is steep.',
  'The river runs below.',
  'Clouds drift by.',
  'On we go.',
  'Home lies far behind us.',
]

/** Lines of the refrain, the last one perhaps incomplete; together at most 3 words short of `words`. */
export function refrainLines(words: number): string[] {
  let next = 0
  const sentences = fill(words, () => refrain[next++ % refrain.length]!)
  return Array.from({ length: Math.ceil(sentences.length / refrain.length) }, (_, line) =>
    sentences.slice(line * refrain.length, (line + 1) * refrain.length).join(' '),
  )
}

/** Draws pieces until the next one no longer fits; a second and third try may be shorter. */
export function fill(words: number, draw: (left: number) => string): string[] {
  const pieces: string[] = []
  let left = words
  for (let misses = 0; misses < 3 && left > 0; ) {
    const piece = draw(left)
    const length = countWords(piece)
    if (length > left) {
      misses++
      continue
    }
    pieces.push(piece)
    left -= length
  }
  return pieces
}
