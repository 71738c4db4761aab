import { fail } from '@trimkv/tensor'
import { nameHint } from './nearest-name.ts'

/** When a policy acts: under the cache's eviction mode while decoding, or once after the whole prompt. */
export type When = 'decode' | 'prefill'

/** What a default may depend on. */
export interface DefaultContext {
  readonly budget: number
  readonly when: When
}

type Default<V> = V | ((context: DefaultContext) => V)

/** An option of a policy that is a number; `min` and `max` are included. */
export interface NumericOption {
  readonly type: 'int' | 'number'
  readonly default: Default<number>
  readonly min?: number
  readonly max?: number
  /** One line for help texts; says what a computed default is. */
  readonly doc: string
}

/** An option of a policy that is one of a few words. */
export interface ChoiceOption {
  readonly type: 'choice'
  readonly choices: readonly string[]
  readonly default: Default<string>
  readonly doc: string
}

/** Free text: the path of a file. */
export interface PathOption {
  readonly type: 'path'
  readonly default: Default<string>
  readonly doc: string
}

type Option = NumericOption | ChoiceOption | PathOption

/** The options of a policy, by name. */
export type OptionSchema = Readonly<Record<string, Option>>

/** Option values as given: any subset of the schema, checked when used. */
export type GivenOptions = Readonly<Record<string, number | string>>

/** Typed values of a schema. */
export type OptionValues<S extends OptionSchema> = {
  readonly [K in keyof S]: S[K] extends ChoiceOption
    ? S[K]['choices'][number]
    : S[K] extends PathOption
      ? string
      : number
}

function checkNumber(label: string, option: NumericOption, value: number | string): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = option
  const fits = typeof number === 'number' && Number.isFinite(number) && number >= min && number <= max
  if (fits && (option.type === 'number' || Number.isInteger(number))) return number
  const bounds = [
    ...(option.min === undefined ? [] : [`≥ ${option.min}`]),
    ...(option.max === undefined ? [] : [`≤ ${option.max}`]),
  ]
  const kind = option.type === 'int' ? 'an integer' : 'a number'
  return fail(
    'TRIMKV_OPTION',
    `${label} must be ${[kind, ...bounds].join(' ')}, got ${JSON.stringify(value)}`,
    {
      why: [option.doc],
    },
  )
}

function checkValue(label: string, option: Option, value: number | string): number | string {
  if (option.type === 'path') return String(value)
  if (option.type !== 'choice') return checkNumber(label, option, value)
  if (typeof value === 'string' && option.choices.includes(value)) return value
  return fail('TRIMKV_OPTION', `${label} cannot be ${JSON.stringify(value)}`, {
    why: [option.doc],
    hint: nameHint(String(value), option.choices),
  })
}

/**
 * Checks names and values of given options; numbers may come as text.
 * @throws TRIMKV_OPTION naming the nearest option or choice
 */
export function checkOptions(owner: string, schema: OptionSchema, given: GivenOptions): GivenOptions {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const option = Object.hasOwn(schema, name) ? schema[name] : undefined
      if (!option) {
        fail('TRIMKV_OPTION', `${owner} has no option "${name}"`, {
          hint: nameHint(name, Object.keys(schema)),
        })
      }
      return [name, checkValue(`${owner}: ${name}`, option, value)]
    }),
  )
}

/** Values of all options: those given, else the defaults. `given` must have been checked. */
export function completeOptions<S extends OptionSchema>(
  schema: S,
  given: GivenOptions,
  context: DefaultContext,
): OptionValues<S> {
  const values = Object.entries(schema).map(([name, option]) => {
    const fallback = typeof option.default === 'function' ? option.default(context) : option.default
    return [name, given[name] ?? fallback]
  })
  return Object.fromEntries(values) as OptionValues<S>
}
