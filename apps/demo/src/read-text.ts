import {
  cacheReport,
  DecoderSession,
  type HeadChoice,
  type KeptSets,
  type Meter,
  type Model,
  resolveCacheOptions,
} from '@trimkv/engine'
import type { RecallText } from './recall-text.ts'

/** One answer: what the text says and what the model said. */
interface Answer {
  readonly thing: string
  readonly said: string
  readonly right: string
}

/** How one policy got through the text. */
export interface Reading {
  readonly policy: string
  readonly answers: readonly Answer[]
  /** The head that, when the questions began, kept most of the words worth remembering that are not recent. */
  readonly head: HeadChoice
  /** For each word before the questions: whether that head still held it then. */
  readonly kept: readonly boolean[]
  readonly meter: Meter
  readonly tokensPerSecond: number
}

export interface ReadRequest {
  readonly text: RecallText
  readonly policy: string
  readonly budget: number
  readonly signal?: AbortSignal
}

/** Index of the largest value, the first of several. */
const argmax = (values: Float32Array): number =>
  values.reduce((best, value, i) => (value > values[best]! ? i : best), 0)

/**
 * The head that shows best what a policy adds to keeping the newest: of some positions it holds most that a sliding
 * window of its size would have lost. The first of several.
 */
export function headWithMost(kept: KeptSets, positions: ReadonlySet<number>, seen: number): HeadChoice {
  let best = { layer: 0, head: 0, count: -1 }
  for (const [layer, heads] of kept.entries()) {
    for (const [head, held] of heads.entries()) {
      const windowStart = seen - held.length
      const count = held.filter((position) => position < windowStart && positions.has(position)).length
      if (count > best.count) best = { layer, head, count }
    }
  }
  return { layer: best.layer, head: best.head }
}

/**
 * Lets the model read a text word by word under a policy, evicting after each word, and takes its answers: the most
 * likely next word before each place that only memory can fill.
 */
export async function readText(
  model: Model,
  { text, policy, budget, signal }: ReadRequest,
): Promise<Reading> {
  const tokenizer = await model.tokenizer()
  const ids = tokenizer.encode(text.words.join(' '))
  const lead = ids.length - text.words.length // the begin token
  const context = { spec: model.spec, hasGates: true, contextTokens: ids.length, batch: 1 }
  const settings = resolveCacheOptions({ policy, budget, exact: true }, context)
  using session = new DecoderSession(model, { ...settings, batch: 1, maxTokens: ids.length })
  session.begin(0, ids.length)
  const asked = new Map(text.answers.map((word) => [word + lead - 1, word]))
  const answers: Answer[] = []
  let keptSets: KeptSets = []
  const start = performance.now()
  for (const [at, id] of ids.entries()) {
    if (at === text.firstQuestion + lead) keptSets = session.cache.positions(0)
    const word = asked.get(at)
    const { values } = await session.forward({
      ids: [[id]],
      output: { kind: word === undefined ? 'none' : 'last' },
      signal,
    })
    if (word === undefined) continue
    const said = tokenizer.decode([argmax(values)]).trim()
    answers.push({ thing: text.words[word - 1]!, said, right: text.words[word]! })
  }
  const seconds = (performance.now() - start) / 1000
  const head = headWithMost(
    keptSets,
    new Set(text.facts.map((word) => word + lead)),
    text.firstQuestion + lead,
  )
  const held = new Set(keptSets[head.layer]![head.head])
  return {
    policy,
    answers,
    head,
    kept: text.words.slice(0, text.firstQuestion).map((_, word) => held.has(word + lead)),
    meter: cacheReport(session).meter,
    tokensPerSecond: ids.length / seconds,
  }
}
