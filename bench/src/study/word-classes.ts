import { answerWords, type Sample } from '@trimkv/tasks'

/** What a word of a recall, chain or code text is there for, in the order the pictures have. */
export const wordClasses = [
  'fact keys',
  'fact values',
  'code numbers',
  'fact openers',
  'full stops',
  'question words',
  'answers',
  'noise',
] as const
export type WordClass = (typeof wordClasses)[number]

/** What a later answer is made of. */
export const factClasses: readonly WordClass[] = ['fact keys', 'fact values', 'code numbers']

/** Words of a sentence by how it begins: `put key barn .`, `let va 12 .`, `code 4 8 .`, `find key barn .`, noise. */
function sentenceClasses(words: readonly string[]): WordClass[] {
  const [opener, ...rest] = words
  const inside = rest.slice(0, -1)
  const whole = (first: WordClass, classOf: (place: number) => WordClass): WordClass[] => [
    first,
    ...inside.map((_, place) => classOf(place)),
    'full stops',
  ]
  switch (opener) {
    case 'put':
    case 'let':
      return whole('fact openers', (place) => (place === 0 ? 'fact keys' : 'fact values'))
    case 'code':
      return whole('fact openers', () => 'code numbers')
    case 'find':
    case 'take':
    case 'repeat':
      return whole('question words', () => 'question words')
    default:
      return whole('noise', () => 'noise')
  }
}

/** The class of each word of a text. */
export function classesOf(sample: Sample): WordClass[] {
  const classes: WordClass[] = []
  let sentence: string[] = []
  for (const word of sample.words) {
    sentence.push(word)
    if (word !== '.') continue
    classes.push(...sentenceClasses(sentence))
    sentence = []
  }
  if (sentence.length > 0) throw new Error(`a text ends without a full stop: ${sentence.join(' ')}`)
  for (const word of answerWords(sample)) classes[word] = 'answers'
  return classes
}
