import type { Colors } from './terminal.ts'

/** A token's text and whether it is still in the cache. */
export interface TokenMark {
  readonly text: string
  readonly kept: boolean
}

interface Paint {
  readonly colors: Colors
  /** Lines are broken here. */
  readonly columns: number
}

/** Neighbours of the same kind and line become one run. */
function runsOf(tokens: readonly TokenMark[], columns: number): TokenMark[][] {
  const lines: TokenMark[][] = [[]]
  let used = 0
  for (const { text, kept } of tokens) {
    for (const [part, piece] of text.split('\n').entries()) {
      const wraps = used > 0 && used + [...piece].length > columns
      if (part > 0 || wraps) {
        lines.push([])
        used = 0
      }
      const shown = wraps ? piece.trimStart() : piece
      used += [...shown].length
      if (shown !== '') lines.at(-1)!.push({ text: shown, kept })
    }
  }
  return lines.map((line) =>
    line.reduce<TokenMark[]>((runs, token) => {
      const last = runs.at(-1)
      if (last?.kept !== token.kept) runs.push(token)
      else runs[runs.length - 1] = { kept: token.kept, text: last.text + token.text }
      return runs
    }, []),
  )
}

/**
 * Text with the tokens that are still in the cache bold and underlined and the evicted ones dim. Where colours are off,
 * kept runs stand in brackets.
 */
export function paintedTokens(tokens: readonly TokenMark[], { colors, columns }: Paint): string {
  const kept = (text: string) => (colors.isColorSupported ? colors.bold(colors.underline(text)) : `[${text}]`)
  const evicted = (text: string) => (colors.isColorSupported ? colors.dim(text) : text)
  return runsOf(tokens, columns)
    .map((line) => line.map((run) => (run.kept ? kept(run.text) : evicted(run.text))).join(''))
    .join('\n')
}

/** One line that explains {@link paintedTokens}. */
export const paintLegend = ({ colors }: Pick<Paint, 'colors'>): string =>
  colors.isColorSupported
    ? `${colors.bold(colors.underline('kept'))} ${colors.dim('evicted')}`
    : '[kept] evicted'
