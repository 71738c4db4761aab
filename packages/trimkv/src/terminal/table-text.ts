import { stripVTControlCharacters } from 'node:util'

/** One column of a table. */
export interface Column {
  readonly header: string
  /** Numbers go right; default left. */
  readonly align?: 'left' | 'right'
}

const width = (text: string): number => [...stripVTControlCharacters(text)].length

/**
 * A table as plain lines: columns two spaces apart, a rule under the header. Cells may hold colour codes.
 * @param rows one entry per column each
 */
export function tableText(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ header }, at) =>
    Math.max(width(header), ...rows.map((row) => width(row[at] ?? ''))),
  )
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, at) => {
        const cell = cells[at] ?? ''
        const space = ' '.repeat(widths[at]! - width(cell))
        return align === 'right' ? space + cell : cell + space
      })
      .join('  ')
      .trimEnd()
  const header = line(columns.map((column) => column.header))
  const rule = widths.map((n) => '─'.repeat(n)).join('  ')
  return [header, rule, ...rows.map(line)].join('\n')
}
