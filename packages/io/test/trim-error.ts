import { type ErrorCode, TrimError } from '@trimkv/tensor'
import { expect } from 'vitest'

/** Expects a rejection with this code and a message that matches; gives the error back for further looks. */
export async function expectTrimError(
  work: () => unknown,
  code: ErrorCode,
  message: RegExp,
): Promise<TrimError> {
  const outcome = await Promise.resolve()
    .then(work)
    .then(
      (value) => value,
      (error: unknown) => error,
    )
  if (!TrimError.isInstance(outcome)) expect.fail(`expected a TrimError, got ${String(outcome)}`)
  expect(outcome.code).toBe(code)
  expect(outcome.message).toMatch(message)
  return outcome
}

/** Whether a failure is one that this project reports. */
export const isTrimError = (error: unknown): boolean => TrimError.isInstance(error)
