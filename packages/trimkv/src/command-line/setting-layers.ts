import { fail, TrimError } from '@trimkv/tensor'
import type { Option } from 'commander'
import type { ConfigFile } from './config-file.ts'
import { repeated } from './flags.ts'

/** A setting and who set it. */
export interface LayeredSetting {
  readonly value: unknown
  /** `flag`, the variable, or the file. */
  readonly origin: string
}

/** The environment variable of an option: `TRIMKV_KV_DTYPE` for `--kv-dtype`. */
const variableOf = (option: Option): string => `TRIMKV_${option.name().replace(/-/g, '_').toUpperCase()}`

/** Options that may be given several times take one text for a list of one. */
const asList = (option: Option, value: unknown): unknown =>
  option.parseArg === repeated && typeof value === 'string' ? [value] : value

function fromEnvironment(option: Option, text: string): unknown {
  if (!option.isBoolean()) return text
  if (/^(1|true|yes)$/i.test(text)) return true
  if (/^(0|false|no)$/i.test(text)) return false
  if (text === '') return undefined
  return fail('TRIMKV_OPTION', `${variableOf(option)} cannot be "${text}"`, { why: ['expected 1 or 0'] })
}

export interface Layers {
  /** The name of the command. */
  readonly command: string
  readonly options: readonly Option[]
  /** What the flags gave. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly config: ConfigFile | undefined
}

/** Settings of which a command takes one: one that is given takes the place of another that a lower layer gives. */
const exclusive = [
  ['exact', 'buffer'],
  ['data', 'prompt', 'promptFile', 'ids', 'idsFile'],
]

/** Takes out what a higher layer excludes; that two of one layer exclude each other is for the command to say. */
function dropExcluded(settings: Map<string, LayeredSetting>, rankOf: ReadonlyMap<string, number>): void {
  for (const group of exclusive) {
    const given = group.filter((name) => settings.has(name) && settings.get(name)?.value !== false)
    const highest = Math.min(...given.map((name) => rankOf.get(name)!))
    for (const name of given) if (rankOf.get(name)! > highest) settings.delete(name)
  }
}

/** All settings given for a command: flags win over `TRIMKV_*`, these over the configuration file. */
export function layeredSettings(layers: Layers): Map<string, LayeredSetting> {
  const { command, options, flags, env, config } = layers
  const settings = new Map<string, LayeredSetting>()
  const rankOf = new Map<string, number>()
  for (const option of options) {
    const name = option.attributeName()
    const text = env[variableOf(option)]
    const candidates: LayeredSetting[] = [
      { value: flags[name], origin: 'flag' },
      { value: text === undefined ? undefined : fromEnvironment(option, text), origin: variableOf(option) },
      { value: config?.byCommand[command]?.[name], origin: `${config?.name} (${command})` },
      { value: config?.common[name], origin: `${config?.name}` },
    ]
    const rank = candidates.findIndex(({ value }) => value !== undefined)
    if (rank < 0) continue
    const { value, origin } = candidates[rank]!
    settings.set(name, { value: asList(option, value), origin })
    rankOf.set(name, rank)
  }
  dropExcluded(settings, rankOf)
  return settings
}

/** An error about a setting with who set it: what a file sets makes the file invalid. */
export function withOrigin(error: unknown, settings: ReadonlyMap<string, LayeredSetting>): unknown {
  if (!TrimError.isInstance(error) || error.code !== 'TRIMKV_OPTION') return error
  const { what, why, hint, details } = error
  const origin = settings.get(String(details.setting ?? details.option))?.origin
  if (origin === undefined || origin === 'flag') return error
  return new TrimError(origin.startsWith('TRIMKV_') ? error.code : 'TRIMKV_CONFIG_INVALID', {
    what,
    why: [...why, `set by ${origin}`],
    ...(hint !== undefined && { hint }),
    details: { ...details, origin },
    cause: error,
  })
}
