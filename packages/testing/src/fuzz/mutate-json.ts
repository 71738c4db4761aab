import type { SeededRandom } from '../seeded-random.ts'
import { pick } from './fuzz-target.ts'
import { mutateBytes } from './mutate-bytes.ts'

type Container = Record<string, unknown> | unknown[]

/** Stands for text that no value serialises to; replaced once the rest is text. */
const rawMark = '@raw:'

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`

const rawTexts: readonly (() => string)[] = [
  () => 'NaN',
  () => '-Infinity',
  () => '1e999',
  () => '-0',
  () => '01',
  () => '123456789012345678901234567890',
  () => '{"a":1,"a":2}',
  () => '{"__proto__":{"length":1}}',
  () => '"\\ud800"',
  () => '"\\u0000"',
  () => nested(50),
  () => '',
  // From here on they are long.
  () => nested(100_000),
  () => `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
  () => `"${'x'.repeat(300_000)}"`,
]
const shortTexts = 12

const rawText = (random: SeededRandom): string =>
  `${rawMark}${random.next() < 0.97 ? random.int(0, shortTexts - 1) : random.int(shortTexts, rawTexts.length - 1)}`

const wildValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  2,
  0.5,
  1e-320,
  1e308,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 63),
  '',
  'x',
  '__proto__',
  'constructor',
  'toString',
  '../../etc/passwd',
  '\u{1f600}',
  '\ufeff',
  [],
  {},
  [null],
  [[]],
  { type: 'x' },
]

/** A copy, which later mutations may change. */
const wildValue = (random: SeededRandom): unknown => structuredClone(pick(random, wildValues))

const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null

/** A random place: mostly near the root, so that long lists of like values do not take all the luck. */
function choosePlace(random: SeededRandom, root: Container): { holder: Container; key: string } {
  let holder = root
  for (;;) {
    const keys = Object.keys(holder)
    if (keys.length === 0) return { holder, key: 'added' }
    const key = pick(random, keys)
    const value = (holder as Record<string, unknown>)[key]
    if (!isContainer(value) || Object.keys(value).length === 0 || random.next() < 0.2) return { holder, key }
    holder = value
  }
}

function changed(random: SeededRandom, value: unknown): unknown {
  if (random.next() < 0.15) return rawText(random)
  if (random.next() < 0.3) return wildValue(random)
  if (typeof value === 'number')
    return pick(random, [value + 1, value - 1, value * 2, -value, value / 2, value * 1e6, String(value)])
  if (typeof value === 'string') return changedText(random, value)
  if (typeof value === 'boolean') return !value
  if (Array.isArray(value)) return changedList(random, value)
  return wildValue(random)
}

function changedText(random: SeededRandom, text: string): string {
  const at = random.int(0, text.length)
  const inserted = pick(random, ['', 'a', ' ', '"', '\\', '(', '*', '{{', '%}', '.', '\ufffd', '\u0000'])
  return text.slice(0, at) + inserted + text.slice(at + random.int(0, 2))
}

function changedList(random: SeededRandom, list: readonly unknown[]): unknown[] {
  const at = random.int(0, list.length)
  const kind = random.int(0, 3)
  if (kind === 0) return list.slice(0, at)
  if (kind === 1) return [...list, ...list.slice(at)]
  if (kind === 2) return [...list.slice(0, at), wildValue(random), ...list.slice(at)]
  return list.toReversed()
}

function mutateOnce(random: SeededRandom, root: Container): void {
  const { holder, key } = choosePlace(random, root)
  const fields = holder as Record<string, unknown>
  const kind = random.next()
  if (kind < 0.15) {
    if (Array.isArray(holder)) holder.splice(Number(key), 1)
    else delete fields[key]
  } else if (kind < 0.3) {
    const other = choosePlace(random, root)
    const theirs = (other.holder as Record<string, unknown>)[other.key]
    fields[key] = structuredClone(theirs)
  } else if (kind < 0.35 && !Array.isArray(holder)) {
    fields[pick(random, ['', 'x', '__proto__', 'length', `${key} `])] = structuredClone(fields[key])
  } else {
    fields[key] = changed(random, fields[key])
  }
}

/**
 * Text of a JSON document with one to three of its values changed, removed, moved or replaced by what breaks parsers:
 * wrong types, sizes at limits, deep nesting, duplicate names, numbers that are no JSON.
 * @param json a valid document
 */
export function mutateJson(random: SeededRandom, json: string): string {
  const root: unknown = JSON.parse(json)
  if (!isContainer(root)) return json
  for (let i = random.int(1, 3); i > 0; i--) mutateOnce(random, root)
  const text = JSON.stringify(root).replace(/"@raw:(\d+)"/g, (_, index) => rawTexts[Number(index)]!())
  return random.next() < 0.9 ? text : Buffer.from(mutateBytes(random, Buffer.from(text))).toString('latin1')
}
