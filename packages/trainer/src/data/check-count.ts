import { fail } from '@trimkv/tensor'

/** @throws TrimError `TRIMKV_OPTION` unless it is an integer from `least` on */
export function checkCount(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return
  fail('TRIMKV_OPTION', `${name} must be an integer ≥ ${least}; got ${String(value)}`)
}
