import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { loadModel } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { TrimError } from '@trimkv/tensor'
import { createTerminal, errorText, paintLegend } from 'trimkv'
import { readingText, summaryTable } from './print-reading.ts'
import { type Reading, readText } from './read-text.ts'
import { readingPicture } from './reading-picture.ts'
import { recallText } from './recall-text.ts'

const policies = ['full', 'streaming', 'h2o', 'snapkv', 'r-kv', 'keydiff', 'trimkv']
const drawnPolicies = ['streaming', 'snapkv', 'trimkv']

const usage = `Reads a text of facts, noise and questions with the bundled model under each cache policy.
  --seed N       makes another text (default: a new one each time)
  --budget N     tokens kept per layer and head (default 32)
  --facts N      facts to remember (default 8)
  --questions N  questions about them (default 8)
  --words N      words of the text (default 240)
  --svg FILE     draws what streaming, snapkv and trimkv kept`

function integer(name: string, value: string, least: number): number {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number >= least) return number
  throw new TrimError('TRIMKV_OPTION', { what: `--${name} must be an integer ≥ ${least}, got ${value}` })
}

interface Settings {
  readonly seed: number
  readonly budget: number
  readonly facts: number
  readonly questions: number
  readonly words: number
  readonly svg: string | undefined
}

function parsed(args: string[]) {
  const option = (name: string) => ({ [name]: { type: 'string' as const } })
  const options = {
    ...option('seed'),
    ...option('budget'),
    ...option('facts'),
    ...option('questions'),
    ...option('words'),
    ...option('svg'),
    help: { type: 'boolean' as const },
  }
  try {
    return parseArgs({ args, options }).values
  } catch (cause) {
    const what = (cause as Error).message.split('. ')[0]!
    throw new TrimError('TRIMKV_OPTION', { what, hint: '--help lists the options', cause })
  }
}

function settings(args: string[]): Settings | undefined {
  const values = parsed(args)
  const given = values as Readonly<Record<string, string | undefined>> & { readonly help?: never }
  if ('help' in values && values.help) return undefined
  const facts = integer('facts', given.facts ?? '8', 1)
  if (facts > 20) throw new TrimError('TRIMKV_OPTION', { what: `--facts can be 20 at most, got ${facts}` })
  return {
    seed: integer('seed', given.seed ?? String(Date.now() % 100_000), 0),
    budget: integer('budget', given.budget ?? '32', 1),
    facts,
    questions: integer('questions', given.questions ?? '8', 1),
    words: integer('words', given.words ?? '240', 1),
    svg: given.svg,
  }
}

async function demo({ seed, budget, facts, questions, words, svg }: Settings): Promise<void> {
  const terminal = createTerminal(process, process.env)
  const print = (text: string): void => terminal.data(`${text}\n`)
  const text = recallText({ seed, facts, questions, words })
  using model = await loadModel(referenceModelDir, { gates: referenceGatesDir })
  print(
    `A text of ${text.words.length} words, read with at most ${budget} tokens per layer and head (--seed ${seed}).`,
  )
  print(`${paintLegend(terminal)} when the questions begin
`)
  const readings: Reading[] = []
  for (const policy of policies) {
    const reading = await readText(model, { text, policy, budget })
    readings.push(reading)
    print(`${readingText(reading, text, terminal)}\n`)
  }
  const drawn = readings.filter(({ policy }) => drawnPolicies.includes(policy))
  if (svg !== undefined) await writeFile(svg, readingPicture(drawn, text))
  print(`${summaryTable(readings)}\n`)
  print(`Next:
  npx trimkv compare MODEL --prompt "…" --policies full,trimkv,snapkv --budget 512   the same on your model
  npx trimkv chat MODEL --gates GATES --policy trimkv --budget 512                  talk in constant memory
  npx trimkv inspect MODEL                                                          what it holds and needs`)
}

try {
  const chosen = settings(process.argv.slice(2))
  if (chosen) await demo(chosen)
  else process.stdout.write(`${usage}\n`)
} catch (error) {
  const terminal = createTerminal(process, process.env)
  terminal.warn(errorText(error, { colors: terminal.talkColors, columns: terminal.columns, verbose: false }))
  process.exitCode = TrimError.isInstance(error) && error.code === 'TRIMKV_OPTION' ? 2 : 1
}
