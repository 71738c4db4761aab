/** Every error code this project reports. Each has an entry in docs/errors.md. */
export type ErrorCode =
  | 'TRIMKV_ABORTED'
  | 'TRIMKV_ACCESS'
  | 'TRIMKV_BUDGET_TOO_SMALL'
  | 'TRIMKV_CONFIG_INVALID'
  | 'TRIMKV_DEVICE'
  | 'TRIMKV_DISK'
  | 'TRIMKV_DIVERGED'
  | 'TRIMKV_DTYPE'
  | 'TRIMKV_FORMAT'
  | 'TRIMKV_GATES_MISMATCH'
  | 'TRIMKV_HANDLE'
  | 'TRIMKV_INVARIANT'
  | 'TRIMKV_IO'
  | 'TRIMKV_LOCKED'
  | 'TRIMKV_MODEL_UNSUPPORTED'
  | 'TRIMKV_NATIVE_MISSING'
  | 'TRIMKV_NETWORK'
  | 'TRIMKV_NOT_FOUND'
  | 'TRIMKV_OPTION'
  | 'TRIMKV_OUT_OF_MEMORY'
  | 'TRIMKV_PICKLE_GLOBAL'
  | 'TRIMKV_POLICY_CONTRACT'
  | 'TRIMKV_POSITION_LIMIT'
  | 'TRIMKV_PREFIX_MISMATCH'
  | 'TRIMKV_RESUME'
  | 'TRIMKV_SESSION_MISMATCH'
  | 'TRIMKV_SHAPE'
  | 'TRIMKV_TEMPLATE'
  | 'TRIMKV_TOKEN_RANGE'
  | 'TRIMKV_UNSUPPORTED'
  | 'TRIMKV_WEIGHTS_MISMATCH'

/** The parts of an error message, in the order they are shown. */
export interface ErrorParts {
  /** What happened, one line, without a full stop. */
  readonly what: string
  /** Why: what was expected and what came, one fact per entry. */
  readonly why?: readonly string[]
  /** What to do next. */
  readonly hint?: string
  /** Machine-readable facts (paths, shapes, numbers). */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

const marker = Symbol.for('trimkv.error')

/**
 * The one error class of the project: a code, what happened, why, and what to do.
 * `instanceof` breaks when two copies of a package are installed, so test with {@link TrimError.isInstance}.
 */
export class TrimError extends Error {
  override readonly name = 'TrimError'
  readonly code: ErrorCode
  readonly what: string
  readonly why: readonly string[]
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, parts: ErrorParts) {
    const why = parts.why ?? []
    super([parts.what, ...why, ...(parts.hint ? [`→ ${parts.hint}`] : [])].join('\n  '), {
      cause: parts.cause,
    })
    this.code = code
    this.what = parts.what
    this.why = why
    this.hint = parts.hint
    this.details = parts.details ?? {}
    Object.defineProperty(this, marker, { value: true })
  }

  static isInstance(value: unknown): value is TrimError {
    return typeof value === 'object' && value !== null && marker in value
  }
}

/**
 * Shorthand for the common form of {@link TrimError}.
 * @throws always
 */
export function fail(code: ErrorCode, what: string, parts: Omit<ErrorParts, 'what'> = {}): never {
  throw new TrimError(code, { what, ...parts })
}
