import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { nameHint } from '@trimkv/cache'
import { fail } from '@trimkv/tensor'

/** Looked for in the working folder, the first that exists; never in the folder of a model. */
const fileNames = ['ts', 'mjs', 'js', 'json', 'yaml', 'yml'].map((ending) => `trimkv.config.${ending}`)

type Values = Readonly<Record<string, unknown>>

/** Settings of a project: for all commands, and by the name of a command for one. */
export interface ConfigFile {
  readonly name: string
  readonly common: Values
  readonly byCommand: Readonly<Record<string, Values>>
}

/** The options each command knows, by its name. */
export type KnownOptions = Readonly<Record<string, readonly string[]>>

const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

async function readConfig(path: string): Promise<unknown> {
  const ending = extname(path)
  if (ending === '.json') return JSON.parse(await readFile(path, 'utf8'))
  if (ending === '.yaml' || ending === '.yml') {
    const { parse } = await import('yaml')
    return parse(await readFile(path, 'utf8'))
  }
  const { createJiti } = await import('jiti')
  return createJiti(import.meta.url).import(path, { default: true })
}

function invalid(file: string, key: string, why: string): never {
  return fail('TRIMKV_CONFIG_INVALID', `${file}: ${key}`, { why: [why], details: { file, key } })
}

/** A setting as a flag would give it: text, true, or a list of texts. */
function flagValue(file: string, key: string, value: unknown): string | boolean | readonly string[] {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  return invalid(
    file,
    key,
    `expected text, a number, true or false, or a list of texts, got ${JSON.stringify(value)}`,
  )
}

function checkedValues(
  file: string,
  values: Values,
  where: { at: string; known: readonly string[] },
): Values {
  const entries = Object.entries(values).map(([key, value]) => {
    const path = `${where.at}${key}`
    if (!where.known.includes(key))
      return invalid(file, `${path} is not a setting`, nameHint(key, where.known))
    return [key, flagValue(file, path, value)] as const
  })
  return Object.fromEntries(entries)
}

/**
 * Reads `trimkv.config.{ts,mjs,js,json,yaml,yml}` of a folder; undefined when there is none.
 * @throws TRIMKV_CONFIG_INVALID naming the key
 */
export async function loadConfigFile(folder: string, options: KnownOptions): Promise<ConfigFile | undefined> {
  const name = fileNames.find((candidate) => existsSync(join(folder, candidate)))
  if (name === undefined) return undefined
  let content: unknown
  try {
    content = await readConfig(join(folder, name))
  } catch (cause) {
    fail('TRIMKV_CONFIG_INVALID', `${name} cannot be read`, {
      why: [String((cause as Error).message)],
      cause,
    })
  }
  // An empty file, in YAML.
  content ??= {}
  if (!isObject(content)) return invalid(name, 'the file', 'expected settings by name')
  const commands = Object.keys(options)
  const all = [...new Set(Object.values(options).flat())]
  const split = (wanted: boolean): [string, unknown][] =>
    Object.entries(content).filter(([key, value]) => (commands.includes(key) && isObject(value)) === wanted)
  const byCommand = split(true).map(([command, values]) => {
    const where = { at: `${command}.`, known: options[command]! }
    return [command, checkedValues(name, values as Values, where)] as const
  })
  const common = checkedValues(name, Object.fromEntries(split(false)), { at: '', known: all })
  return { name, common, byCommand: Object.fromEntries(byCommand) }
}
