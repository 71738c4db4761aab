import { fail } from '@trimkv/tensor'

/** What may be shown after one piece of text. */
interface StopStep {
  /** Text that can no longer be part of a stop string. */
  readonly text: string
  /** The stop string that was reached; it is not part of the text. */
  readonly stop?: string
}

/** Finds stop strings in text that arrives in pieces. */
export interface StopStrings {
  /** Takes the next piece. After a stop nothing may be pushed any more. */
  push(piece: string): StopStep
  /** The text still withheld, when the end comes without a stop. */
  flush(): string
}

/** Length of the longest end of `text` that begins a stop string without completing it. */
function withheldLength(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1))
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(-length)
    if (stops.some((stop) => stop.length > length && stop.startsWith(end))) return length
  }
  return 0
}

/**
 * Stops at the first character that completes a stop string; of several completed there, the longest counts. So the
 * result does not depend on how the text was cut into pieces. Text is withheld while it may still become a stop string.
 * @throws TRIMKV_OPTION for an empty stop string
 */
export function createStopStrings(stops: readonly string[]): StopStrings {
  if (stops.includes(''))
    fail('TRIMKV_OPTION', 'a stop string must not be empty', { details: { option: 'stop' } })
  let held = ''
  return {
    push(piece) {
      const text = held + piece
      for (let end = held.length + 1; end <= text.length; end++) {
        const reached = stops.filter((stop) => text.endsWith(stop, end))
        if (reached.length === 0) continue
        const stop = reached.reduce((a, b) => (b.length > a.length ? b : a))
        held = ''
        return { text: text.slice(0, end - stop.length), stop }
      }
      const keep = withheldLength(text, stops)
      held = keep > 0 ? text.slice(-keep) : ''
      return { text: text.slice(0, text.length - keep) }
    },
    flush() {
      const rest = held
      held = ''
      return rest
    },
  }
}
