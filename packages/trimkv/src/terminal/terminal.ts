import type { WriteStream } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'
import picocolors from 'picocolors'

/** The colour functions of picocolors. */
export type Colors = ReturnType<typeof picocolors.createColors>

/** How much a command says on stderr. */
export type Verbosity = 'quiet' | 'normal' | 'verbose'

/** Where a command writes: data to stdout, talk to stderr. */
export interface Terminal {
  /** Writes data as it is. */
  readonly data: (text: string) => void
  /** Writes one line of talk; nothing when quiet. */
  readonly say: (line: string) => void
  /** Writes one line that must be seen even when quiet: errors and warnings. */
  readonly warn: (line: string) => void
  /** Draws a line on stderr in place of the one drawn before, until something else is written; only when `live`. */
  readonly redraw: (line: string) => void
  /** Colours for stdout. */
  readonly colors: Colors
  /** Colours for stderr. */
  readonly talkColors: Colors
  /** Columns of stdout, 80 … 120. */
  readonly columns: number
  /** Whether stderr is a terminal whose lines may be redrawn. */
  readonly live: boolean
  readonly verbosity: Verbosity
}

type Environment = Readonly<Record<string, string | undefined>>

interface Streams {
  readonly stdout: Pick<WriteStream, 'write'> & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>
  readonly stderr: Pick<WriteStream, 'write'> & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>
}

/** FORCE_COLOR decides, then NO_COLOR (https://no-color.org), then whether it is a capable terminal. */
function wantsColor(isTTY: boolean, env: Environment): boolean {
  const force = env.FORCE_COLOR
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false'
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false
  return isTTY && env.TERM !== 'dumb'
}

/** The same terminal, but talk is one JSON object per line and nothing is redrawn. */
export function withJsonTalk(terminal: Terminal): Terminal {
  const line = (level: string, message: string): string =>
    JSON.stringify({ level, message: stripVTControlCharacters(message) })
  return {
    ...terminal,
    live: false,
    say: (message) => terminal.say(line('info', message)),
    warn: (message) => terminal.warn(line('warn', message)),
  }
}

/** A terminal over two streams, with the conventions of NO_COLOR, FORCE_COLOR, CI and TERM=dumb. */
export function createTerminal(
  streams: Streams,
  env: Environment,
  verbosity: Verbosity = 'normal',
): Terminal {
  const { stdout, stderr } = streams
  const errTTY = stderr.isTTY === true
  const live = errTTY && !env.CI && env.TERM !== 'dumb' && verbosity !== 'quiet'
  let drawn = false
  const redraw = (line: string): void => {
    if (drawn || line !== '') stderr.write(`${drawn ? '\r\u001b[K' : ''}${line}`)
    drawn = line !== ''
  }
  const writeLine = (line: string): void => {
    redraw('')
    stderr.write(`${line}\n`)
  }
  return {
    data: (text) => {
      redraw('')
      stdout.write(text)
    },
    say: (line) => {
      if (verbosity !== 'quiet') writeLine(line)
    },
    warn: writeLine,
    redraw,
    colors: picocolors.createColors(wantsColor(stdout.isTTY === true, env)),
    talkColors: picocolors.createColors(wantsColor(errTTY, env)),
    columns: Math.min(120, Math.max(80, stdout.columns ?? stderr.columns ?? 100)),
    live,
    verbosity,
  }
}
