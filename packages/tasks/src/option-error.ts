/**
 * Reports an option that cannot be honoured. This package imports nothing, so it carries the code of such errors on a
 * built-in error instead of using the project's error class.
 * @throws RangeError always, with `code` `TRIMKV_OPTION`
 */
export function failOption(what: string, hint: string): never {
  throw Object.assign(new RangeError(`${what}\n  → ${hint}`), { code: 'TRIMKV_OPTION' })
}

/**
 * Checks an option that counts something.
 * @throws RangeError unless it is an integer in [least, most]
 */
export function requireCount(name: string, value: number, range: { least: number; most?: number }): void {
  const { least, most = Number.MAX_SAFE_INTEGER } = range
  if (Number.isSafeInteger(value) && value >= least && value <= most) return
  const wanted = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `in ${least}…${most}`
  failOption(`${name} must be an integer, ${wanted}; got ${String(value)}`, `change ${name}`)
}

/**
 * Checks an option that is one of some names.
 * @throws RangeError otherwise
 */
export function requireOneOf(name: string, value: string, names: readonly string[]): void {
  if (names.includes(value)) return
  failOption(`${name} must be one of ${names.join(', ')}; got ${String(value)}`, `change ${name}`)
}
