// @ts-check
import { readFileSync, writeFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'

const MiB = 1024 * 1024

/** Linux alone can forget the peak that a process had before. */
function forgetPeak() {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
    return true
  } catch {
    return false
  }
}

/**
 * Starts to measure how far resident memory rises.
 * @returns {() => number} the bytes it rose since, at its peak; elsewhere than on Linux what lies under an earlier peak of the process does not show
 */
export function startPeak() {
  const peak = forgetPeak()
    ? () => Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024
    : () => process.resourceUsage().maxRSS * 1024
  const before = peak()
  return () => peak() - before
}

/**
 * How much more a process may keep after many cases than at its start: pages that the allocator does not give back, and
 * code and counts of V8. Ten thousand answers came to 14 MiB of the first and 2 MiB of the second.
 */
const slack = { resident: 24 * MiB, values: 4 * MiB }

/** @typedef {typeof slack} KeptMemory bytes that are resident, and those of JavaScript values */

/** What the process keeps once nothing is left to collect. Needs --expose-gc. @returns {Promise<KeptMemory>} */
export async function keptMemory() {
  // Finalizers run between the two, and free what only the second collects.
  for (let i = 0; i < 2; i++) {
    await setImmediate()
    globalThis.gc?.()
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { resident: rss, values: heapUsed + external }
}

/**
 * @param {KeptMemory} now
 * @param {KeptMemory} before
 * @returns {string | undefined} what is wrong when more is kept than collector and allocator explain
 */
export function growthProblem(now, before) {
  const grown = /** @type {const} */ (['resident', 'values']).filter(
    (kind) => now[kind] > before[kind] + slack[kind],
  )
  if (grown.length === 0) return undefined
  return grown.map((kind) => `${now[kind]} bytes ${kind}, ${before[kind]} before`).join('; ')
}
