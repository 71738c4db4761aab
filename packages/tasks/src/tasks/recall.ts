import { type Draft, defineTask, roomFor, type TaskFactory, type TaskOptions } from '../define-task.ts'
import { requireCount, requireOneOf } from '../option-error.ts'
import type { Span } from '../sample.ts'
import { type Setting, settings } from '../setting.ts'
import { places, type SmallNoise, smallNoise, smallNoises, things } from '../text/small-world.ts'

/** Where things were put. */
export interface RecallOptions extends TaskOptions {
  /** `stream` unless given. */
  readonly setting: Setting
  /** How many things are put somewhere, 1…20; 6 unless given. */
  readonly facts: number
  /** How many times one is asked for; 6 unless given. Fewer than `facts` leave some facts that are never asked for. */
  readonly questions: number
  /** `mentioning` unless given: noise also names things and places. */
  readonly noise: SmallNoise
}

interface Fact {
  readonly thing: string
  readonly place: string
}

/**
 * `put key barn .` among noise, then `find key barn .`, whose last word only the fact determines. No thing is put twice; two
 * things may be in one place. In `stream` no thing is asked for again before all were.
 */
export const recall: TaskFactory<RecallOptions> = defineTask<RecallOptions>({
  name: 'recall',
  version: 1,
  source: 'this project; what the reference model is trained on',
  defaults: {
    length: { targetWords: 256 },
    setting: 'stream',
    facts: 6,
    questions: 6,
    noise: 'mentioning',
  },
  check: ({ setting, facts, questions, noise }) => {
    requireOneOf('setting', setting, settings)
    requireOneOf('noise', noise, smallNoises)
    requireCount('facts', facts, { least: 1, most: things.length })
    requireCount('questions', questions, { least: 1 })
  },
  write: (draft) => {
    const { options, random, text, words } = draft
    const facts = random
      .sample(things, options.facts)
      .map((thing): Fact => ({ thing, place: random.pick(places) }))
    const asked = askedFacts(draft, facts)
    const announced = options.setting === 'question-first' ? [...new Set(asked)] : []
    const needed = 4 * (facts.length + asked.length) + 3 * announced.length
    const noise = smallNoise(random, options.noise, roomFor(words, needed))
    const { put, find, stated } = sentences(draft)

    for (const fact of announced) text.write(`find ${fact.thing} .`)
    if (options.setting !== 'interleaved') {
      for (const item of random.shuffle([...facts, ...noise])) {
        if (typeof item === 'string') text.write(item)
        else put(item)
      }
      for (const fact of asked) find(fact)
      return
    }
    // Opens with a fact, so that there always is something to ask for.
    const [first, ...rest] = facts
    put(first!)
    for (const item of random.shuffle([...rest, ...noise, ...asked.map(() => undefined)])) {
      if (item === undefined) find(random.pick(stated))
      else if (typeof item === 'string') text.write(item)
      else put(item)
    }
  },
})

/** Which facts the questions are about, in order; `interleaved` only takes their number from it. */
function askedFacts({ options, random }: Draft<RecallOptions>, facts: readonly Fact[]): Fact[] {
  const asked: Fact[] = []
  while (asked.length < options.questions) asked.push(...random.shuffle(facts))
  return asked.slice(0, options.questions)
}

function sentences({ text }: Draft<RecallOptions>): {
  put(fact: Fact): void
  find(fact: Fact): void
  stated: Fact[]
} {
  const stated: Fact[] = []
  const told = new Map<Fact, { span: Span; lastSeen: number }>()
  return {
    stated,
    put: (fact) => {
      const { start } = text.write(`put ${fact.thing} ${fact.place} .`)
      stated.push(fact)
      told.set(fact, { span: { start: start + 1, end: start + 3 }, lastSeen: start + 2 })
    },
    find: (fact) => {
      const { span, lastSeen } = told.get(fact)!
      const { start } = text.write(`find ${fact.thing}`)
      const answer = text.answer(fact.place, { spans: [span], lastSeen })
      text.write('.')
      told.set(fact, { span, lastSeen: answer.start })
      text.ask({ start, match: 'words', answers: [answer] })
    },
  }
}
