import { countText, durationText } from './number-text.ts'
import type { Terminal } from './terminal.ts'

const redrawMs = 100
const lineMs = 10_000

/** Shows how far a piece of work is. */
export interface Progress extends Disposable {
  /** @param total leave out when it is not known */
  update(done: number, total?: number): void
}

interface Work {
  readonly label: string
  /** Written after the count. */
  readonly unit?: string
  /** For tests. */
  readonly now?: () => number
}

/**
 * On a terminal one line that is redrawn; elsewhere a line every ten seconds, none for short work. Disposing it clears
 * the redrawn line.
 */
export function startProgress(
  terminal: Terminal,
  { label, unit = '', now = () => performance.now() }: Work,
): Progress {
  const started = now()
  const every = terminal.live ? redrawMs : lineMs
  let shown = terminal.live ? -Infinity : started
  return {
    update(done, total) {
      const time = now()
      if (terminal.verbosity === 'quiet' || time - shown < every) return
      shown = time
      const elapsed = time - started
      const rate = elapsed > 0 ? done / (elapsed / 1000) : 0
      const left =
        total !== undefined && rate > 0 ? `, ${durationText(((total - done) / rate) * 1000)} left` : ''
      const count = total === undefined ? countText(done) : `${countText(done)}/${countText(total)}`
      const line = `${label} ${count}${unit && ` ${unit}`}${left}`
      if (terminal.live) terminal.redraw(terminal.talkColors.dim(line))
      else terminal.say(line)
    },
    [Symbol.dispose]() {
      terminal.redraw('')
    },
  }
}
