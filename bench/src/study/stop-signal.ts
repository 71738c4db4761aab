/** Ends work on Ctrl-C, or after so many minutes; a second Ctrl-C ends the process. */
export function stopSignal(minutes?: number): AbortSignal {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort(new Error('stopped')))
  return minutes === undefined
    ? stop.signal
    : AbortSignal.any([stop.signal, AbortSignal.timeout(minutes * 60_000)])
}

/** What to say when work has ended before all was done. */
export const goesOn = 'Stopped; the same command goes on from here.\n'
