/** Words the bundled model has learned; each is one token. */
const things = 'basket bell book box candle coin cup drum feather hat kettle key lamp map mirror pen ring rope stone sword'
const places =
  'attic barn cave cellar church garden hall harbor kitchen library market mill office park school shed station tower tunnel yard'
const people = 'ana ben cleo dan eva finn gia hugo ida jon kai lea max nia omar pia'
const acts = 'dreams eats laughs reads runs sings sleeps smiles talks waits walks works'
const manners = 'again alone early happily late loudly outside quietly slowly today'

/** A text that states facts among noise and then asks for them. */
export interface RecallText {
  /** Words and punctuation, to be joined by single spaces. */
  readonly words: readonly string[]
  /** Index of the first word of the first question. */
  readonly questionsStart: number
  /** Indices of the words that answer: each can only be known from its fact. */
  readonly answers: readonly number[]
  /** Indices of the words that must be remembered: the things and places of the facts. */
  readonly facts: readonly number[]
}

/** A seeded source of choices (mulberry32). */
function chooser(seed: number): <T>(from: readonly T[]) => T {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return (from) => from[Math.floor(next() * from.length)] as (typeof from)[number]
}

type Choose = ReturnType<typeof chooser>

function shuffled<T>(items: readonly T[], choose: Choose): T[] {
  const rest = [...items]
  const out: T[] = []
  while (rest.length > 0) {
    const item = choose(rest)
    rest.splice(rest.indexOf(item), 1)
    out.push(item)
  }
  return out
}

function noise(choose: Choose): string[] {
  const person = (): string => choose(people.split(' '))
  const act = (): string => choose(acts.split(' '))
  const form = choose(['alone', 'with', 'while', 'visits', 'sees'] as const)
  if (form === 'with') return [person(), act(), 'with', person()]
  if (form === 'while') return [person(), act(), choose(manners.split(' ')), 'while', person(), act()]
  if (form === 'visits') return [person(), 'visits', choose(places.split(' '))]
  if (form === 'sees') return [person(), 'sees', choose(things.split(' '))]
  return [person(), act(), choose(manners.split(' '))]
}

/**
 * Makes a text from a seed: `facts` sentences of the form `put key barn .`, `noise` other sentences in between, then
 * one question per fact in another order, `find key barn .`, whose last word is the answer.
 */
export function recallText(options: { seed: number; facts: number; noise: number }): RecallText {
  const choose = chooser(options.seed)
  const named = shuffled(things.split(' '), choose).slice(0, options.facts)
  const placed = shuffled(places.split(' '), choose)
  const facts = named.map((thing, i) => ['put', thing, placed[i]!])
  const rest = Array.from({ length: options.noise }, () => noise(choose))
  const words: string[] = []
  const remember: number[] = []
  for (const sentence of shuffled([...facts, ...rest], choose)) {
    if (sentence[0] === 'put') remember.push(words.length + 1, words.length + 2)
    words.push(...sentence, '.')
  }
  const questionsStart = words.length
  const answers: number[] = []
  for (const [, thing, place] of shuffled(facts, choose)) {
    words.push('find', thing!, place!, '.')
    answers.push(words.length - 2)
  }
  return { words, questionsStart, answers, facts: remember }
}
