import { type Draft, defineTask, roomFor, type TaskFactory, type TaskOptions } from '../define-task.ts'
import { requireCount, requireOneOf } from '../option-error.ts'
import type { Random } from '../random.ts'
import type { Span } from '../sample.ts'
import { type Setting, settings } from '../setting.ts'
import { type SmallNoise, smallNoise, smallNoises } from '../text/small-world.ts'

const names = 'va vb vc vd ve vf vg vh vi vj vk vl vm vn vo vp'.split(' ')

/** Values stay where every number is a word that recall, chain and code texts have. */
const highestValue = 29

/** Variables computed from variables. */
export interface ChainOptions extends TaskOptions {
  /** `stream` unless given. */
  readonly setting: Setting
  /** How many variables are given a value by `let`, 1…16; 4 unless given. */
  readonly facts: number
  /** How many steps (`take …`) follow; each asks for a value and for a result. 4 unless given. */
  readonly steps: number
  /** The most steps between a `let` and a result, 1 or more; 3 unless given. With 1 no result gets a name. */
  readonly hops: number
  /** `mentioning` unless given: noise also names things and places. */
  readonly noise: SmallNoise
}

interface Variable {
  readonly name: string
  readonly value: number
  /** How many steps made it: 0 for a `let`. */
  readonly depth: number
}

interface Step {
  readonly from: Variable
  readonly operator: 'plus' | 'minus'
  readonly amount: number
  readonly result: number
  readonly to?: Variable
}

/**
 * `let va 12 .` among noise, then `take va 12 plus 3 gives vb 15 .`: the 12 and the 15 are answers. A result gets a name half of
 * the time while one is free, and can be taken further. Amounts are 1 to 3, values 0 to 29; no variable changes.
 */
export const chain: TaskFactory<ChainOptions> = defineTask<ChainOptions>({
  name: 'chain',
  version: 1,
  source: 'this project; what the reference model is trained on',
  defaults: {
    length: { targetWords: 256 },
    setting: 'stream',
    facts: 4,
    steps: 4,
    hops: 3,
    noise: 'mentioning',
  },
  check: ({ setting, facts, steps, hops, noise }) => {
    requireOneOf('setting', setting, settings)
    requireOneOf('noise', noise, smallNoises)
    requireCount('facts', facts, { least: 1, most: names.length })
    requireCount('steps', steps, { least: 1 })
    requireCount('hops', hops, { least: 1 })
  },
  write: (draft) => {
    const { options, random, text, words } = draft
    const free = random.shuffle(names)
    const lets = free
      .splice(0, options.facts)
      .map((name): Variable => ({ name, value: 4 + random.int(22), depth: 0 }))
    const interleaved = options.setting === 'interleaved'
    // The order of lets and steps comes first, because a step may only take what was stated before it.
    const order = interleaved
      ? ['let', ...random.shuffle([...lets.slice(1).map(() => 'let'), ...steps(options)])]
      : [...lets.map(() => 'let'), ...steps(options)]
    const plan = planOf(order, { lets, free, random, hops: options.hops })
    const taken = plan.filter((item): item is Step => 'from' in item)
    const announced = options.setting === 'question-first' ? announcedNames(taken) : []
    const needed =
      4 * lets.length + taken.reduce((sum, { to }) => sum + (to ? 9 : 8), 0) + 3 * announced.length
    const noise = smallNoise(random, options.noise, roomFor(words, needed))

    for (const name of announced) text.write(`take ${name} .`)
    const { give, take } = sentences(draft)
    const noisy = mixIn(noise, interleaved ? plan : lets, random)
    for (const item of interleaved ? noisy : [...noisy, ...taken]) {
      if (typeof item === 'string') text.write(item)
      else if ('from' in item) take(item)
      else give(item)
    }
  },
})

const steps = ({ steps: count }: ChainOptions): string[] => Array.from({ length: count }, () => 'take')

/** The variables of `let` that are asked for: a result is only known once it was computed. */
const announcedNames = (taken: readonly Step[]): string[] => [
  ...new Set(taken.filter(({ from }) => from.depth === 0).map(({ from }) => from.name)),
]

function planOf(
  order: readonly string[],
  start: { lets: readonly Variable[]; free: readonly string[]; random: Random; hops: number },
): (Variable | Step)[] {
  const { random, hops } = start
  const lets = [...start.lets]
  const free = [...start.free]
  const known: Variable[] = []
  return order.map((kind) => {
    if (kind === 'let') {
      const variable = lets.shift()!
      known.push(variable)
      return variable
    }
    const from = random.pick(known)
    const changes = [-3, -2, -1, 1, 2, 3].filter(
      (by) => from.value + by >= 0 && from.value + by <= highestValue,
    )
    const by = random.pick(changes)
    const depth = from.depth + 1
    const result = from.value + by
    const step = { from, operator: by > 0 ? 'plus' : 'minus', amount: Math.abs(by), result } as const
    if (depth >= hops || free.length === 0 || random.int(2) === 0) return step
    const to = { name: free.shift()!, value: result, depth }
    known.push(to)
    return { ...step, to }
  })
}

/** Puts noise at random places between items that keep their order; the first item opens. */
function mixIn<T>(noise: readonly string[], items: readonly T[], random: Random): (string | T)[] {
  const [first, ...rest] = items
  const waiting = [...rest]
  const mixed = random.shuffle([...noise, ...rest.map(() => undefined)])
  return [first!, ...mixed.map((item) => item ?? waiting.shift()!)]
}

function sentences({ text }: Draft<ChainOptions>): {
  give(variable: Variable): void
  take(step: Step): void
} {
  const told = new Map<string, { span: Span; lastSeen: number }>()
  const give = ({ name, value }: Variable): void => {
    const { start } = text.write(`let ${name} ${value} .`)
    told.set(name, { span: { start: start + 1, end: start + 3 }, lastSeen: start + 2 })
  }
  const take = ({ from, operator, amount, result, to }: Step): void => {
    const { span, lastSeen } = told.get(from.name)!
    const { start } = text.write(`take ${from.name}`)
    const value = text.answer(String(from.value), { spans: [span], lastSeen })
    told.set(from.name, { span, lastSeen: value.start })
    text.ask({ start, match: 'words', answers: [value] })

    const sum = text.write(`${operator} ${amount}`)
    text.write(to ? `gives ${to.name}` : 'gives')
    const spans = [{ start: value.start, end: sum.end }]
    const answer = text.answer(String(result), { spans, lastSeen: value.start })
    text.ask({ start, match: 'words', answers: [answer] })
    text.write('.')
    if (to) {
      const named = { start: answer.start - 1, end: answer.end }
      told.set(to.name, { span: named, lastSeen: answer.start })
    }
  }
  return { give, take }
}
