import { fail } from '@trimkv/tensor'
import type { Option } from 'commander'
import type { ConfigFile } from './config-file.ts'

/** A setting and who set it. */
export interface LayeredSetting {
  readonly value: unknown
  /** `flag`, the variable, or the file. */
  readonly origin: string
}

/** The environment variable of an option: `TRIMKV_KV_DTYPE` for `--kv-dtype`. */
const variableOf = (option: Option): string => `TRIMKV_${option.name().replace(/-/g, '_').toUpperCase()}`

/** Options that may be given several times; a variable gives one. */
const lists = ['stop', 'data']

function fromEnvironment(option: Option, text: string): unknown {
  if (!option.isBoolean()) return lists.includes(option.attributeName()) ? [text] : text
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

/** All settings given for a command: flags win over `TRIMKV_*`, these over the configuration file. */
export function layeredSettings(layers: Layers): Map<string, LayeredSetting> {
  const { command, options, flags, env, config } = layers
  const settings = new Map<string, LayeredSetting>()
  for (const option of options) {
    const name = option.attributeName()
    const text = env[variableOf(option)]
    const candidates: LayeredSetting[] = [
      { value: flags[name], origin: 'flag' },
      { value: text === undefined ? undefined : fromEnvironment(option, text), origin: variableOf(option) },
      { value: config?.byCommand[command]?.[name], origin: `${config?.name} (${command})` },
      { value: config?.common[name], origin: `${config?.name}` },
    ]
    const first = candidates.find(({ value }) => value !== undefined)
    if (first) settings.set(name, first)
  }
  return settings
}
