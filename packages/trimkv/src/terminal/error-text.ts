import { TrimError } from '@trimkv/tensor'
import type { Colors } from './terminal.ts'

interface Layout {
  readonly colors: Colors
  readonly columns: number
  /** Adds the stack. */
  readonly verbose: boolean
}

function headline(what: string, code: string, { colors, columns }: Layout): string {
  const space = Math.max(2, columns - what.length - code.length - 2)
  return `${colors.red('✖')} ${colors.bold(what)}${' '.repeat(space)}${colors.dim(code)}`
}

const stackOf = (error: unknown): string[] => {
  if (!(error instanceof Error)) return []
  const cause = error.cause === undefined ? [] : ['cause:', ...stackOf(error.cause)]
  return [...(error.stack ?? String(error)).split('\n').slice(1), ...cause]
}

/**
 * An error as a person should see it: what happened and its code, why, what to do; a stack only when verbose.
 */
export function errorText(error: unknown, layout: Layout): string {
  const { colors, verbose } = layout
  const stack = verbose ? stackOf(error).map((line) => colors.dim(`  ${line.trim()}`)) : []
  if (TrimError.isInstance(error)) {
    const [first = '', ...rest] = error.what.split('\n')
    const hint = error.hint ? [`  ${colors.cyan('→')} ${error.hint}`] : []
    const why = [...rest, ...error.why].map((line) => `  ${line}`)
    return [headline(first, error.code, layout), ...why, ...hint, ...stack].join('\n')
  }
  const message = error instanceof Error ? error.message : String(error)
  const hint = verbose ? [] : [`  ${colors.cyan('→')} run it again with -v and report what it prints`]
  return [headline(message, 'UNEXPECTED', layout), ...hint, ...stack].join('\n')
}
