import {
  type BatchEvent,
  generateSamples,
  type Model,
  type Prompt,
  type SamplesOptions,
} from '@trimkv/engine'
import { numberText } from '../terminal/number-text.ts'
import { startProgress } from '../terminal/progress.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { sayCache, speedText } from './report-text.ts'
import type { Settings } from './settings.ts'

/** Several answers to one prompt. */
export interface SamplesRequest {
  readonly model: Model
  readonly prompt: Prompt
  readonly options: SamplesOptions
}

type Done = Extract<BatchEvent, { type: 'done' }>

/** The most likely on average, the first of several. */
const mostLikely = (answers: readonly Done[]): Done =>
  answers.reduce((a, b) => (b.meanLogProb! > a.meanLogProb! ? b : a))

/** Prints the most likely of several answers; with --json all of them, with --jsonl every event. */
export async function printSamples(
  { model, prompt, options }: SamplesRequest,
  terminal: Terminal,
  settings: Pick<Settings, 'json' | 'jsonl' | 'budget' | 'buffer' | 'exact'>,
): Promise<void> {
  const answers: Done[] = []
  let tokens = 0
  {
    using progress = startProgress(terminal, { label: 'answers', unit: 'tokens' })
    for await (const event of generateSamples(model, prompt, options)) {
      if (settings.jsonl) terminal.data(`${JSON.stringify(event)}\n`)
      if (event.type === 'token')
        progress.update(++tokens, options.samples * (options.maxNewTokens ?? tokens))
      if (event.type === 'done') answers[event.index] = event
    }
  }
  const best = mostLikely(answers)
  if (settings.json) {
    const samples = answers.map(({ type: _type, ...answer }) => answer)
    terminal.data(`${JSON.stringify({ best: best.index, samples })}\n`)
  } else if (!settings.jsonl) terminal.data(`${best.text}\n`)
  const scores = answers.map(({ meanLogProb }) => numberText(meanLogProb)).join(', ')
  terminal.say(
    `answer ${best.index + 1} of ${answers.length} is the most likely; mean log-probabilities ${scores}`,
  )
  terminal.say(speedText(answers[0]!.usage))
  sayCache(terminal, best.usage, settings)
}
