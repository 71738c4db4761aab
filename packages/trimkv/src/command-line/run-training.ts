import { TrimError } from '@trimkv/tensor'
import type { TrainEvent, TrainResult } from '@trimkv/trainer'
import { bytesText, countText } from '../terminal/number-text.ts'
import type { CommandContext } from './cli-command.ts'
import { filesIn, restartRun, runFolderOf } from './training-folder.ts'
import { reportTraining } from './training-report.ts'
import type { TrainingSettings } from './training-settings.ts'
import { resultText } from './training-text.ts'

/** What `train` of `@trimkv/trainer` is told of every training, in the words of its requests. */
export interface RunOptions {
  readonly folder: string
  readonly out: string
  readonly checkpointEvery: number
  readonly signal: AbortSignal
  readonly onProgress: (event: TrainEvent) => void
}

interface Training {
  readonly settings: TrainingSettings
  /** Tokens per head that gates are to keep. */
  readonly budget?: number | undefined
  readonly train: (options: RunOptions) => Promise<TrainResult>
  /** Folders with the result. */
  readonly results: readonly string[]
  /** The command to go on with. */
  readonly next: string
}

/** Runs a training in `--out DIR` and tells of it; what is written is data, all else talk. */
export async function runTraining(training: Training, context: CommandContext): Promise<undefined> {
  const { settings, budget } = training
  const { terminal } = context
  if (settings.restart) await restartRun(settings.out, terminal)
  using report = reportTraining(terminal, { jsonl: settings.jsonl, budget })
  try {
    const result = await training.train({
      folder: runFolderOf(settings.out),
      out: settings.out,
      checkpointEvery: settings.checkpointEvery,
      signal: context.signal,
      onProgress: report.onProgress,
    })
    report[Symbol.dispose]()
    await printResult(result, training, context)
  } catch (error) {
    report[Symbol.dispose]()
    if (context.signal.aborted && report.saved !== undefined) {
      terminal.say(`stopped after step ${countText(report.saved)}; the same command goes on from there`)
    }
    throw withRestart(error)
  }
}

async function printResult(
  result: TrainResult,
  { settings, results, next }: Training,
  { terminal }: CommandContext,
): Promise<void> {
  const files = await filesIn(results)
  if (settings.jsonl) terminal.data(`${JSON.stringify({ kind: 'done', ...result, files })}\n`)
  else if (settings.json) terminal.data(`${JSON.stringify({ ...result, files })}\n`)
  else terminal.data(files.map(({ path, bytes }) => `${path}  ${bytesText(bytes)}\n`).join(''))
  terminal.say(resultText(result))
  terminal.say(`→ ${next}`)
}

/** The trainer does not know of the flag that helps. */
function withRestart(error: unknown): unknown {
  if (!TrimError.isInstance(error) || error.code !== 'TRIMKV_RESUME') return error
  const { code, what, why, hint = '', details } = error
  return new TrimError(code, {
    what,
    why,
    details,
    hint: `${hint}; --restart discards that run`,
    cause: error,
  })
}
