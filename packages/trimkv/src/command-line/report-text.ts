import type { CacheReport, Meter, Usage } from '@trimkv/engine'
import { bytesText, countText, numberText } from '../terminal/number-text.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Settings } from './settings.ts'

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

/** What a run was asked to do, as far as it may have had no effect. */
type Asked = Pick<Settings, 'budget' | 'buffer' | 'exact'>

/** A line when a budget was given and did nothing. */
function idleBudget({ policy, budget, budgetReached }: CacheReport, asked: Asked): string | undefined {
  if (budget !== undefined) {
    return budgetReached
      ? undefined
      : 'the budget was never reached: nothing was evicted, and the run is the same as with full'
  }
  const flag = (['budget', 'buffer', 'exact'] as const).find(
    (name) => asked[name] !== undefined && asked[name] !== false,
  )
  return (
    flag && `--${flag} has no effect: ${policy} keeps every token; choose another --policy, or give --gates`
  )
}

/** Says how a run was cached and what it took, and warns when a budget did nothing. */
export function sayCache(terminal: Terminal, report: CacheReport, asked: Asked): void {
  terminal.say(cacheText(report))
  terminal.say(meterText(report.meter))
  const idle = idleBudget(report, asked)
  if (idle) terminal.say(`${terminal.talkColors.yellow('!')} ${idle}`)
}

/** `25 tokens read, 12 new, 900 reused · 48.1 tok/s` */
export function speedText({ promptTokens, reusedTokens, newTokens, tokensPerSecond }: Usage): string {
  const reused = reusedTokens > 0 ? `, ${countText(reusedTokens)} reused` : ''
  return `${countText(promptTokens)} tokens read, ${countText(newTokens)} new${reused} · ${numberText(tokensPerSecond)} tok/s`
}
