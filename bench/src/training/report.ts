/** Where sections print what they found. */
export type Print = (line: string) => void

/** How a section runs. */
export interface SectionOptions {
  readonly rounds: number
  readonly print: Print
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
export const milliseconds = (seconds: number): string => `${(1000 * seconds).toFixed(1)} ms`
export const gigaflops = (perSecond: number): string => `${(perSecond / 1e9).toFixed(1)} GFLOP/s`
export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** A Markdown table; all columns but the first are numbers. */
export function printTable(print: Print, rows: readonly (readonly string[])[]): void {
  const [head, ...body] = rows as [readonly string[], ...(readonly string[])[]]
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'))
  for (const row of [head, rule, ...body]) print(`| ${row.join(' | ')} |`)
  print('')
}
