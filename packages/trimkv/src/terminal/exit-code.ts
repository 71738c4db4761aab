import { type ErrorCode, TrimError } from '@trimkv/tensor'

/** Exit codes of the command line. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  config: 3,
  model: 4,
  device: 5,
  interrupted: 130,
} as const

const byErrorCode: Readonly<Partial<Record<ErrorCode, keyof typeof exitCodes>>> = {
  TRIMKV_ABORTED: 'interrupted',
  TRIMKV_OPTION: 'usage',
  TRIMKV_BUDGET_TOO_SMALL: 'usage',
  TRIMKV_POSITION_LIMIT: 'usage',
  TRIMKV_PREFIX_MISMATCH: 'usage',
  TRIMKV_RESUME: 'usage',
  TRIMKV_SESSION_MISMATCH: 'usage',
  TRIMKV_TOKEN_RANGE: 'usage',
  TRIMKV_CONFIG_INVALID: 'config',
  TRIMKV_ACCESS: 'model',
  TRIMKV_FORMAT: 'model',
  TRIMKV_GATES_MISMATCH: 'model',
  TRIMKV_MODEL_UNSUPPORTED: 'model',
  TRIMKV_NETWORK: 'model',
  TRIMKV_NOT_FOUND: 'model',
  TRIMKV_PICKLE_GLOBAL: 'model',
  TRIMKV_TEMPLATE: 'model',
  TRIMKV_WEIGHTS_MISMATCH: 'model',
  TRIMKV_DEVICE: 'device',
  TRIMKV_NATIVE_MISSING: 'device',
  TRIMKV_OUT_OF_MEMORY: 'device',
}

/** The exit code that belongs to an error; 1 where no other fits. */
export const exitCodeOf = (error: unknown): number =>
  exitCodes[(TrimError.isInstance(error) && byErrorCode[error.code]) || 'failed']
