import { type Draft, defineTask, roomFor, type TaskFactory, type TaskOptions } from '../define-task.ts'
import { requireCount, requireOneOf } from '../option-error.ts'
import type { Span } from '../sample.ts'
import { essay } from '../text/prose.ts'
import { neverTwice, pseudoName } from '../text/pseudo-words.ts'
import { countWords } from '../text/words.ts'

/** A question about one of many documents, or one that leads from document to document. */
export interface QuestionAnsweringOptions extends TaskOptions {
  /** `stream` unless given. */
  readonly setting: 'stream' | 'question-first'
  /** How many documents the answer needs: 1 (unless given) for where somebody was born, 2 for where the teacher was, and so on. */
  readonly hops: number
  /** The filler: `documents` about other people unless given, or sentences of an invented `essay` in the needed documents. */
  readonly distractors: 'documents' | 'essay'
}

interface Person {
  readonly name: string
  readonly teacher: string
  readonly town: string
}

interface Document {
  readonly person: Person
  readonly sentences: readonly string[]
}

/** A task of this family under another name, with other defaults. */
export function questionAnsweringTask(
  name: string,
  preset: Partial<QuestionAnsweringOptions>,
): TaskFactory<QuestionAnsweringOptions> {
  return defineTask<QuestionAnsweringOptions>({
    name,
    version: 1,
    source:
      'Hsieh et al. 2024 (arXiv:2404.06654), question answering; generated facts for SQuAD and HotpotQA',
    defaults: {
      length: { targetWords: 4096 },
      setting: 'stream',
      hops: 1,
      distractors: 'documents',
      ...preset,
    },
    check: ({ setting, hops, distractors }) => {
      requireOneOf('setting', setting, ['stream', 'question-first'])
      requireOneOf('distractors', distractors, ['documents', 'essay'])
      requireCount('hops', hops, { least: 1 })
    },
    write,
  })
}

const teacherOf = ({ name, teacher }: Person): string => `${name} was taught by ${teacher}.`
const townOf = ({ name, town }: Person): string => `${name} was born in ${town}.`

function write(draft: Draft<QuestionAnsweringOptions>): void {
  const { options, random, text, words } = draft
  const draw = neverTwice(() => pseudoName(random))
  const personTaughtBy = (teacher: string): Person => ({ name: draw(), teacher, town: draw() })
  // The last one first: each is the teacher of the next.
  const needed: Person[] = []
  for (let i = 0; i < options.hops; i++) needed.push(personTaughtBy(needed.at(-1)?.name ?? draw()))
  const asked = needed.at(-1)!
  const { town } = needed[0]!

  const teachers = 'the teacher of '.repeat(options.hops - 1)
  const opening = 'Answer the question from these documents.'
  const question = `Where was ${teachers}${asked.name} born?`
  const reply = 'Answer:'
  const announced = options.setting === 'question-first' ? [question] : []
  const fixed = [opening, ...announced, question, reply].reduce((sum, line) => sum + countWords(line), 0)
  const gold = needed.map((person): Document => ({ person, sentences: factsOf(person, draft) }))
  const room = roomFor(words, fixed + 2 + gold.reduce((sum, document) => sum + wordsOf(document), 0))
  const documents = withFiller(draft, { gold, room, personTaughtBy, draw })

  text.write(opening)
  for (const line of announced) text.write(line, '\n')
  const facts = writeDocuments(draft, documents)
  const { start } = text.write(question, '\n')
  text.write(reply)
  const birth = facts.get(townOf(needed[0]!))!
  const steps = needed.slice(1).map((person) => facts.get(teacherOf(person))!)
  const spans = [...steps.reverse(), birth]
  const answer = text.answer(town, { spans, lastSeen: birth.end - 1 })
  text.write('.', '')
  text.ask({ start, match: 'any', answers: [answer] })
}

const factsOf = (person: Person, { random }: Draft<QuestionAnsweringOptions>): string[] =>
  random.shuffle([townOf(person), teacherOf(person)])

/** A heading of three words, then the sentences. */
const wordsOf = ({ sentences }: Document): number =>
  3 + sentences.reduce((sum, sentence) => sum + countWords(sentence), 0)

interface Filler {
  readonly gold: readonly Document[]
  readonly room: number
  readonly personTaughtBy: (teacher: string) => Person
  readonly draw: () => string
}

/** All documents in random order; what is too short for one more document is filled with sentences of an essay. */
function withFiller(
  draft: Draft<QuestionAnsweringOptions>,
  { gold, room, personTaughtBy, draw }: Filler,
): Document[] {
  const { options, random } = draft
  const documents = [...gold]
  let left = room
  while (options.distractors === 'documents') {
    // Half of the others are taught by somebody who has a document, so that they lead on just as the needed ones do.
    const teacher = random.int(2) === 0 ? random.pick(documents).person.name : draw()
    const person = personTaughtBy(teacher)
    const document = { person, sentences: factsOf(person, draft) }
    if (wordsOf(document) > left) break
    documents.push(document)
    left -= wordsOf(document)
  }
  const remarks = new Map<Document, string[]>()
  for (const sentence of essay(random, left)) {
    const document = random.pick(documents)
    remarks.set(document, [...(remarks.get(document) ?? []), sentence])
  }
  return random.shuffle(documents).map((document) => ({
    ...document,
    sentences: [...(remarks.get(document) ?? []), ...document.sentences],
  }))
}

/** @returns the words of each fact, without its full stop */
function writeDocuments(
  { text }: Draft<QuestionAnsweringOptions>,
  documents: readonly Document[],
): Map<string, Span> {
  const places = new Map<string, Span>()
  for (const [i, { sentences }] of documents.entries()) {
    text.write(`Document ${i + 1}:`, '\n')
    for (const [j, sentence] of sentences.entries()) {
      const { start, end } = text.write(sentence, j === 0 ? '\n' : ' ')
      places.set(sentence, { start, end: end - 1 })
    }
  }
  return places
}
