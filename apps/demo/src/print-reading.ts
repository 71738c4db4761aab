import { bytesText, type Colors, countText, paintedTokens, tableText } from 'trimkv'
import type { Reading } from './read-text.ts'
import type { RecallText } from './recall-text.ts'

interface Page {
  readonly colors: Colors
  readonly columns: number
}

const rightCount = ({ answers }: Reading): number =>
  answers.filter(({ said, right }) => said === right).length

/** What a policy kept and answered, as a paragraph. */
export function readingText(reading: Reading, text: RecallText, page: Page): string {
  const { colors } = page
  const { head, answers, kept } = reading
  const marks = kept.map((isKept, word) => ({
    text: `${word > 0 ? ' ' : ''}${text.words[word]}`,
    kept: isKept,
  }))
  const told = answers.map(({ thing, said, right }) =>
    said === right
      ? colors.green(`${thing}: ${said} ✓`)
      : colors.red(`${thing}: ${said} ✗`) + colors.dim(` (${right})`),
  )
  const title = `${colors.bold(reading.policy)}  layer ${head.layer}, head ${head.head}, as the questions begin`
  return [title, paintedTokens(marks, page), `answers  ${told.join('  ')}`].join('\n')
}

/** The figures of all policies. */
export function summaryTable(readings: readonly Reading[]): string {
  const right = (header: string) => ({ header, align: 'right' as const })
  return tableText(
    [
      { header: 'policy' },
      right('answers right'),
      right('peak entries'),
      right('KV bytes allocated'),
      right('policy state bytes'),
      right('tokens/s'),
    ],
    readings.map((reading) => [
      reading.policy,
      `${rightCount(reading)} of ${reading.answers.length}`,
      countText(reading.meter.peakEntries),
      bytesText(reading.meter.allocatedBytes),
      bytesText(reading.meter.policyBytes),
      countText(reading.tokensPerSecond),
    ]),
  )
}
