import type { CacheReport, Meter, Usage } from '@trimkv/engine'
import { bytesText, countText, numberText } from '../terminal/number-text.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** What is stored beyond the budget. */
const modeText = ({ mode }: Pick<CacheReport, 'mode'>): string =>
  mode.mode === 'exact' ? 'evicting after every token' : `buffer ${countText(mode.buffer)}`

/** `trimkv · budget 512 tokens per head, buffer 128 · keys and values in f32` */
function cacheText(report: CacheReport): string {
  const options = Object.entries(report.policyOptions).map(([name, value]) => `${name}=${value}`)
  const policy = options.length > 0 ? `${report.policy}:${options.join(',')}` : report.policy
  const budget =
    report.budget === undefined
      ? 'keeps every token'
      : `budget ${countText(report.budget)} tokens per head, ${modeText(report)}`
  return `${policy} · ${budget} · keys and values in ${report.kvDtype}`
}

/** `512 entries · 56.0 MiB KV (full: 224 MiB), peak 70.0 MiB · 1 536 evicted` */
function meterText(meter: Meter): string {
  const { entries, allocatedBytes, fullBytes, peakBytes, evictions } = meter
  const memory = `${bytesText(allocatedBytes)} KV (full: ${bytesText(fullBytes)}), peak ${bytesText(peakBytes)}`
  return `${countText(entries)} entries · ${memory} · ${countText(evictions)} evicted`
}

/** Says how a run was cached and what it took, and warns when a budget was given and never came under pressure. */
export function sayCache(terminal: Terminal, report: CacheReport): void {
  terminal.say(cacheText(report))
  terminal.say(meterText(report.meter))
  if (report.budget === undefined || report.budgetReached) return
  const mark = terminal.talkColors.yellow('!')
  terminal.say(
    `${mark} the budget was never reached: nothing was evicted, and the run is the same as with full`,
  )
}

/** {@link sayCache}, and how fast the answer came. */
export function sayUsage(terminal: Terminal, usage: Usage): void {
  const { promptTokens, newTokens, tokensPerSecond } = usage
  terminal.say(
    `${countText(promptTokens)} tokens read, ${countText(newTokens)} new · ${numberText(tokensPerSecond)} tok/s`,
  )
  sayCache(terminal, usage)
}
