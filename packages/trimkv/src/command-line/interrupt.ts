import { TrimError } from '@trimkv/tensor'
import { exitCodes } from '../terminal/exit-code.ts'
import type { Output } from '../terminal/output.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Ctrl-C and the end of the output as an abort signal, for as long as it is not disposed. */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal
}

/** The first Ctrl-C aborts the signal, so that work ends cleanly; the second ends the process at once. */
export function listenForInterrupt(terminal: Terminal, { ended }: Pick<Output, 'ended'>): Interrupt {
  const controller = new AbortController()
  const onInterrupt = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted)
    terminal.say('')
    terminal.say('stopping; press Ctrl-C again to end at once')
    controller.abort(new TrimError('TRIMKV_ABORTED', { what: 'Interrupted' }))
  }
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onInterrupt)
  return {
    signal: AbortSignal.any([controller.signal, ended]),
    [Symbol.dispose]() {
      process.off('SIGINT', onInterrupt)
      process.off('SIGTERM', onInterrupt)
    },
  }
}
