import { expect, it } from 'vitest'
import { TrimError } from './errors.ts'
import { loadNative } from './native.ts'
import { nativeError } from './native-error.ts'

function failureOf(action: () => unknown): TrimError {
  try {
    action()
  } catch (error) {
    if (TrimError.isInstance(error)) return error
  }
  throw new Error('expected a TrimError')
}

it('tells what was tried when the addon cannot be loaded, and tries nothing but a path that was given', () => {
  const error = failureOf(() => loadNative('/nowhere/trimkv.node'))
  expect(error.code).toBe('TRIMKV_NATIVE_MISSING')
  expect(error.message).toContain('TRIMKV_NATIVE_PATH=/nowhere/trimkv.node')
  expect(error.message).toContain(`Node ${process.versions.node}`)
  expect(error.message).toContain('node tooling/native/build.mjs')
  expect(error.details.tried).toHaveLength(1)
})

it('refuses an addon that was built from other sources', () => {
  // A module that is no addon of ours at all.
  expect(failureOf(() => loadNative('node:path')).message).toContain('built from other sources')
})

it('gives every native status the error code it stands for', () => {
  const codes = Array.from({ length: 12 }, (_, i) => nativeError(i + 1, 'text').code)
  expect(codes).toEqual([
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
  ])
  expect(nativeError(99, 'text').code).toBe('TRIMKV_INVARIANT')
})
