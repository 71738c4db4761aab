const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** A table; columns from `firstNumber` on are aligned to the right. */
export function markdownTable(
  head: readonly string[],
  lines: readonly (readonly string[])[],
  firstNumber: number = head.length,
): string {
  const rule = head.map((_, column) => (column < firstNumber ? '---' : '---:'))
  return [head, rule, ...lines].map(row).join('\n')
}

export const percent = (share: number): string => (100 * share).toFixed(1)

/** A budget as a share of the length. */
export const shareText = (share: number): string => (share === 1 ? 'all' : `1/${Math.round(1 / share)}`)
