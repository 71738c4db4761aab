import { type ErrorCode, TrimError } from './errors.ts'

/** Error codes by the number native code gives them: the order of `enum class Code` in native/core/status.h. */
const codes: readonly ErrorCode[] = [
  'TRIMKV_INVARIANT',
  'TRIMKV_SHAPE',
  'TRIMKV_DTYPE',
  'TRIMKV_HANDLE',
  'TRIMKV_OPTION',
  'TRIMKV_TOKEN_RANGE',
  'TRIMKV_OUT_OF_MEMORY',
  'TRIMKV_ABORTED',
  'TRIMKV_UNSUPPORTED',
  'TRIMKV_INVARIANT',
  'TRIMKV_FORMAT',
  'TRIMKV_INVARIANT',
  'TRIMKV_NOT_FOUND',
]

const hints: Partial<Record<ErrorCode, string>> = {
  TRIMKV_INVARIANT: 'this is a bug of ours: please report it with the message and a stack trace',
}

/** Turns what native code reports into the error class of the project. Called from native code. */
export function nativeError(code: number, text: string): TrimError {
  const name = codes[code] ?? 'TRIMKV_INVARIANT'
  const hint = hints[name]
  return new TrimError(name, { what: text, ...(hint !== undefined && { hint }) })
}
