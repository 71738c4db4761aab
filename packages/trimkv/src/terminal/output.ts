import type { WriteStream } from 'node:tty'
import { TrimError } from '@trimkv/tensor'

/** stdout, as far as it may end before the work does. */
export interface Output {
  /** Aborted when nothing more can be written: TRIMKV_ABORTED when the reader is gone, else what failed. */
  readonly ended: AbortSignal
  /**
   * Waits until all that was written has arrived.
   * @returns what kept it from arriving, unless its reader has gone
   */
  readonly failure: () => Promise<TrimError | undefined>
}

function endOf(cause: NodeJS.ErrnoException): TrimError {
  if (cause.code === 'EPIPE')
    return new TrimError('TRIMKV_ABORTED', { what: 'The reader of the output is gone', cause })
  const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT'
  return new TrimError(isFull ? 'TRIMKV_DISK' : 'TRIMKV_IO', {
    what: 'The output cannot be written',
    why: [cause.message],
    cause,
  })
}

/** Whether an error of stopped work says no more than that: what is no TrimError comes from what was cut off. */
export const isAbort = (error: unknown): boolean =>
  !TrimError.isInstance(error) || error.code === 'TRIMKV_ABORTED'

/** Watches both streams for the rest of the process. That talk on stderr is lost ends no work. */
export function watchOutput({ stdout, stderr }: Record<'stdout' | 'stderr', WriteStream>): Output {
  const controller = new AbortController()
  const { signal: ended } = controller
  stdout.on('error', (error) => controller.abort(endOf(error)))
  stderr.on('error', () => {})
  return {
    ended,
    async failure() {
      await new Promise<void>((resolve) => stdout.write('', () => resolve()))
      return ended.aborted && !isAbort(ended.reason) ? ended.reason : undefined
    },
  }
}
