import type { TrainEvent } from '@trimkv/trainer'
import { countText } from '../terminal/number-text.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { stepText, validationText } from './training-text.ts'

const redrawMs = 100
const lineMs = 5000
const lineSteps = 50

/** Tells of a training while it goes on. */
export interface TrainingReport extends Disposable {
  readonly onProgress: (event: TrainEvent) => void
  /** Step of the newest checkpoint that this process knows of. */
  readonly saved: number | undefined
}

interface ReportOptions {
  /** One object per event on stdout. */
  readonly jsonl: boolean
  /** Tokens per head that gates are to keep. */
  readonly budget?: number | undefined
  /** For tests. */
  readonly now?: () => number
}

/** On a terminal one line that is redrawn; elsewhere a line every five seconds or 50 steps, and one for the last step. */
export function reportTraining(terminal: Terminal, options: ReportOptions): TrainingReport {
  const { jsonl, budget, now = () => performance.now() } = options
  let shown = terminal.live ? -Infinity : now()
  let saved: number | undefined

  function showStep(event: Extract<TrainEvent, { kind: 'step' }>): void {
    const time = now()
    const due = terminal.live
      ? time - shown >= redrawMs
      : time - shown >= lineMs || event.step % lineSteps === 0
    const last = event.step === event.steps
    if (!due && !last) return
    shown = time
    const line = stepText(event, budget)
    if (terminal.live && !last) terminal.redraw(terminal.talkColors.dim(line.slice(0, terminal.columns - 1)))
    else terminal.say(line)
  }

  return {
    get saved() {
      return saved
    },
    onProgress(event) {
      if (jsonl) terminal.data(`${JSON.stringify(event)}\n`)
      switch (event.kind) {
        case 'resume':
          saved = event.step
          terminal.say(`going on after step ${countText(event.step)}`)
          break
        case 'checkpoint':
          saved = event.step
          break
        case 'validation':
          terminal.say(validationText(event, budget))
          break
        case 'step':
          showStep(event)
      }
    },
    [Symbol.dispose]() {
      terminal.redraw('')
    },
  }
}
