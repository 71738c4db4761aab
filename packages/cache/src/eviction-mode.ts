import { fail } from '@trimkv/tensor'

/**
 * When a bounded cache evicts. These are different policies and never mixed:
 * - `exact`: after every forward, down to the budget M (TRIM-KV paper, Algorithm 1). Ages count from 0.
 * - `buffered`: down to M once M + buffer are stored after a forward (released TRIM-KV code). Ages count from 2.
 */
export type EvictionMode =
  | { readonly mode: 'exact' }
  | {
      readonly mode: 'buffered' /** Tokens stored beyond the budget before a cut, ≥ 1. */
      readonly buffer: number
    }

/** Slots beyond the budget that a mode needs per head. */
export function extraSlots(mode: EvictionMode): number {
  if (mode.mode === 'exact') return 1
  if (!Number.isInteger(mode.buffer) || mode.buffer < 1) {
    fail('TRIMKV_OPTION', `buffer must be an integer ≥ 1, got ${mode.buffer}`, {
      why: ['a buffered cache stores `budget + buffer` tokens before it cuts back to the budget'],
    })
  }
  return mode.buffer
}

/** Age that the newest token has when slots are rated: 0 in the paper's algorithm, 2 in the released code. */
export const ageOffset = (mode: EvictionMode): number => (mode.mode === 'exact' ? 0 : 2)
