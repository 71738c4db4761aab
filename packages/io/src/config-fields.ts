import { isJsonObject, type JsonObject } from './json-file.ts'
import { malformed } from './malformed.ts'

interface Range {
  readonly min: number
  readonly max: number
}

/**
 * Typed reads of a configuration. A field that is absent or null counts as not given; one that is given must be of its
 * type and in its range. Fields nobody asks for are not looked at.
 */
export interface Fields {
  readonly file: string
  /** The object as it stands in the file. */
  readonly raw: JsonObject
  /** The value if it is given. */
  get(name: string): unknown
  integer(name: string, range: Range): number | undefined
  number(name: string, range: Range): number | undefined
  boolean(name: string): boolean | undefined
  text(name: string): string | undefined
  /** Numbers in a list, or one number alone. */
  integers(name: string, range: Range): readonly number[] | undefined
  numbers(name: string, range: Range): readonly number[] | undefined
  object(name: string): Fields | undefined
  /** Makes a field required. */
  required<T>(name: string, value: T | undefined): T
  /** @throws always: the field does not hold what it must */
  invalid(name: string, expected: string, got?: unknown): never
  /** @throws always: the field asks for something that does not exist here */
  unsupported(name: string, expected: string, hint?: string): never
}

/**
 * @param raw the parsed file, or an object inside it
 * @param file for error messages
 * @param prefix path of `raw` inside the file, with a trailing dot
 */
export function configFields(raw: JsonObject, file: string, prefix = ''): Fields {
  const get = (name: string): unknown => (Object.hasOwn(raw, name) ? (raw[name] ?? undefined) : undefined)

  function invalid(name: string, expected: string, got: unknown = raw[name]): never {
    return malformed({ code: 'TRIMKV_CONFIG_INVALID', file, field: `${prefix}${name}`, expected, got })
  }

  function check<T>(name: string, expected: string, isValid: (value: unknown) => value is T): T | undefined {
    const value = get(name)
    return value === undefined || isValid(value) ? value : invalid(name, expected)
  }

  function list(name: string, isValid: (value: unknown) => value is number, expected: string) {
    const value = get(name)
    if (value === undefined) return undefined
    const values: readonly unknown[] = Array.isArray(value) ? value : [value]
    return values.every(isValid) ? values : invalid(name, expected)
  }

  return {
    file,
    raw,
    get,
    invalid,
    integer: (name, range) => check(name, `an integer ${describe(range)}`, isInteger(range)),
    number: (name, range) => check(name, `a number ${describe(range)}`, isNumber(range)),
    boolean: (name) => check(name, 'true or false', (value) => typeof value === 'boolean'),
    text: (name) => check(name, 'a string', (value) => typeof value === 'string'),
    integers: (name, range) => list(name, isInteger(range), `integers ${describe(range)}`),
    numbers: (name, range) => list(name, isNumber(range), `numbers ${describe(range)}`),
    object(name) {
      const value = check(name, 'an object', isJsonObject)
      return value && configFields(value, file, `${prefix}${name}.`)
    },
    required: (name, value) => value ?? invalid(name, 'a value', null),
    unsupported(name, expected, hint) {
      const field = `${prefix}${name}`
      const code = 'TRIMKV_MODEL_UNSUPPORTED'
      return malformed({
        code,
        file,
        field,
        expected,
        got: get(name),
        ...(hint === undefined ? {} : { hint }),
      })
    },
  }
}

const describe = ({ min, max }: Range): string => `from ${min} to ${max}`

const isNumber =
  ({ min, max }: Range) =>
  (value: unknown): value is number =>
    typeof value === 'number' && value >= min && value <= max

const isInteger =
  (range: Range) =>
  (value: unknown): value is number =>
    Number.isInteger(value) && isNumber(range)(value)
