import { type Comparison, mostTellingHead } from '@trimkv/engine'
import { bytesText, countText, numberText, percentText } from '../terminal/number-text.ts'
import { paintedTokens } from '../terminal/painted-tokens.ts'
import { type Column, tableText } from '../terminal/table-text.ts'
import type { Terminal } from '../terminal/terminal.ts'

/**
 * One run: the answer, then the prompt as one head still holds it at the end.
 * @param pieces text of each prompt token
 */
export function comparisonText(
  { run, promptIds }: Comparison,
  pieces: readonly string[],
  terminal: Pick<Terminal, 'colors' | 'columns'>,
): string {
  const { layer, head } = mostTellingHead(run.kept, promptIds.length + run.ids.length - 1)
  const kept = new Set(run.kept[layer]?.[head])
  const tokens = pieces.map((text, position) => ({ text, kept: kept.has(position) }))
  const { colors } = terminal
  const where = run.usage.meter.evictions === 0 ? 'all heads' : `layer ${layer}, head ${head}`
  return [
    `${colors.bold(`── ${run.label} `)}${colors.dim(`(${where})`)}`,
    paintedTokens(tokens, terminal),
    `${colors.cyan('→')} ${run.text.trim()}`,
  ].join('\n')
}

const columns: readonly Column[] = [
  { header: 'policy' },
  { header: 'peak entries', align: 'right' },
  { header: 'KV bytes', align: 'right' },
  { header: 'policy state', align: 'right' },
  { header: 'tokens/s', align: 'right' },
  { header: 'agrees with full', align: 'right' },
]

/** All runs, one line each. */
export const comparisonTable = (runs: readonly Comparison[]): string =>
  tableText(
    columns,
    runs.map(({ run: { label, usage, agreement } }) => [
      label,
      countText(usage.meter.peakEntries),
      bytesText(usage.meter.allocatedBytes),
      bytesText(usage.meter.policyBytes),
      numberText(usage.tokensPerSecond),
      percentText(agreement),
    ]),
  )
