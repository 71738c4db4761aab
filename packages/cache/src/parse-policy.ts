import { fail } from '@trimkv/tensor'
import { nameHint } from './nearest-name.ts'
import { checkOptions, type GivenOptions } from './option-schema.ts'
import { policies } from './policies/index.ts'
import type { Policy } from './policy.ts'

/** A policy and the options written after its name. */
export interface ParsedPolicy {
  readonly name: string
  readonly policy: Policy
  /** Only the options that were given. */
  readonly options: GivenOptions
}

function parseOptions(text: string, part: string): [string, string] {
  const equals = part.indexOf('=')
  if (equals > 0 && equals < part.length - 1)
    return [part.slice(0, equals).trim(), part.slice(equals + 1).trim()]
  return fail('TRIMKV_OPTION', `"${part}" in "${text}" is not an option`, {
    hint: 'write name:option=value,option=value',
  })
}

/**
 * Reads `snapkv` or `snapkv:window=8,kernel=7`.
 * @param table policies to choose from; default the built-in ones
 * @throws TRIMKV_OPTION naming the nearest policy, option or choice
 */
export function parsePolicy(text: string, table: Readonly<Record<string, Policy>> = policies): ParsedPolicy {
  const colon = text.indexOf(':')
  const name = (colon < 0 ? text : text.slice(0, colon)).trim()
  const policy = Object.hasOwn(table, name) ? table[name] : undefined
  if (!policy)
    fail('TRIMKV_OPTION', `there is no policy "${name}"`, { hint: nameHint(name, Object.keys(table)) })
  const parts = colon < 0 ? [] : text.slice(colon + 1).split(',')
  const given: Record<string, string> = {}
  for (const [option, value] of parts.map((part) => parseOptions(text, part))) {
    if (Object.hasOwn(given, option)) fail('TRIMKV_OPTION', `"${text}" sets ${option} twice`)
    given[option] = value
  }
  return { name, policy, options: checkOptions(name, policy.options, given) }
}
