import type { CacheOptions, PolicyInput, SamplingOptions } from '@trimkv/engine'
import { readPolicy } from '../policy-file.ts'
import type { Settings } from './settings.ts'

/** Flags that decide how sequences are cached, without the policy. */
export type CacheSettingName = 'budget' | 'buffer' | 'exact' | 'chunk' | 'kvDtype' | 'beyondLimit'

export const cacheSettingNames: readonly CacheSettingName[] = [
  'budget',
  'buffer',
  'exact',
  'chunk',
  'kvDtype',
  'beyondLimit',
]

/** Flags that decide how tokens are chosen. */
export type SamplingSettingName = 'temperature' | 'topK' | 'topP' | 'minP' | 'repetitionPenalty' | 'seed'

export const samplingSettingNames: readonly SamplingSettingName[] = [
  'temperature',
  'topK',
  'topP',
  'minP',
  'repetitionPenalty',
  'seed',
]

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Leaves out what was not given. */
const given = <T extends object>(values: T): Given<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>

/** Cache options from flags. */
export function cacheOptions(settings: Pick<Settings, CacheSettingName>): Omit<CacheOptions, 'policy'> {
  const { budget, buffer, exact, chunk, kvDtype, beyondLimit } = settings
  return given({ budget, buffer, exact, chunk, kvDtype, beyondLimit })
}

/** Cache options that were said, without defaults of the command line: a saved cache has its own. */
export function saidCacheOptions(
  settings: Pick<Settings, CacheSettingName>,
  raw: Readonly<Record<string, unknown>>,
): Omit<CacheOptions, 'policy'> {
  const said = Object.entries(cacheOptions(settings)).filter(([name]) => raw[name] !== undefined)
  return Object.fromEntries(said)
}

/** Sampling options from flags. */
export function samplingOptions(settings: Pick<Settings, SamplingSettingName>): SamplingOptions {
  const { temperature, topK, topP, minP, repetitionPenalty, seed } = settings
  return given({ temperature, topK, topP, minP, repetitionPenalty, seed })
}

/** The policy of `--policy`; nothing when it is left to the model. */
export async function policyOption(policy: string | undefined): Promise<{ readonly policy?: PolicyInput }> {
  return policy === undefined ? {} : { policy: await readPolicy(policy) }
}
