import { type EvictionMode, type GivenOptions, type KvDType, type Policy, policies } from '@trimkv/cache'
import type { DecoderSpec } from '@trimkv/models'
import { fail } from '@trimkv/tensor'
import { type CacheOptions, type CacheSettings, cacheShape, type PolicyInput } from './cache-options.ts'

/** What a saved sequence depends on, beside the model. */
export interface SessionSettings {
  readonly policy: string
  /** Every option with a fixed default filled in. */
  readonly policyOptions: GivenOptions
  /** Tokens per layer and head; null when the policy keeps everything. */
  readonly budget: number | null
  readonly mode: EvictionMode
  readonly kvDtype: KvDType
  readonly positionOffset: number
  readonly shape: ReturnType<typeof cacheShape>
}

function completeOptions(policy: Policy, given: GivenOptions): GivenOptions {
  const fixed = Object.entries(policy.options).flatMap(([name, option]) =>
    typeof option.default === 'function' ? [] : [[name, option.default] as const],
  )
  const all = { ...Object.fromEntries(fixed), ...given }
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The settings a session runs under, as they are saved. @param keepsAll the policy evicts nothing */
export function sessionSettings(
  spec: DecoderSpec,
  settings: CacheSettings,
  keepsAll: boolean,
): SessionSettings {
  const { policy, policyOptions, mode, kvDtype, positionOffset, budget } = settings
  return {
    policy: policy.name,
    policyOptions: completeOptions(policy, policyOptions),
    budget: keepsAll ? null : budget,
    mode,
    kvDtype,
    positionOffset,
    shape: cacheShape(spec),
  }
}

/** A built-in policy by the name a file gives it. */
function savedPolicy({ policy, policyOptions }: SessionSettings): PolicyInput {
  if (Object.hasOwn(policies, policy)) {
    return { policy: (policies as Readonly<Record<string, Policy>>)[policy]!, options: policyOptions }
  }
  return fail(
    'TRIMKV_SESSION_MISMATCH',
    `The session was saved under the policy ${policy}, which is not built in`,
    {
      hint: 'give that policy again',
      details: { field: 'policy', saved: policy },
    },
  )
}

/** Cache options for a session that goes on: those given, and what was saved where nothing is said. */
export function optionsToRestore(saved: SessionSettings, given: CacheOptions): CacheOptions {
  const saysMode = given.exact !== undefined || given.buffer !== undefined
  const { mode, kvDtype, positionOffset, budget } = saved
  const savedMode = mode.mode === 'exact' ? { exact: true } : { buffer: mode.buffer }
  return {
    ...(budget !== null && { budget }),
    ...(!saysMode && savedMode),
    kvDtype,
    positionOffset,
    ...given,
    policy: given.policy ?? savedPolicy(saved),
  }
}

const fieldNames: Readonly<Record<keyof SessionSettings, string>> = {
  policy: 'policy',
  policyOptions: 'options of the policy',
  budget: 'budget',
  mode: 'eviction mode',
  kvDtype: 'storage of keys and values',
  positionOffset: 'position offset',
  shape: 'shape',
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** Refuses what was saved under other settings, by the first that differs. @throws TRIMKV_SESSION_MISMATCH */
export function checkSettings(file: string, saved: SessionSettings, wanted: SessionSettings): void {
  for (const [field, name] of Object.entries(fieldNames) as [keyof SessionSettings, string][]) {
    if (textOf(saved[field]) === textOf(wanted[field])) continue
    refuseSession(file, { field, name, saved: textOf(saved[field]), wanted: textOf(wanted[field]) })
  }
}

/** @throws TRIMKV_SESSION_MISMATCH always */
export function refuseSession(
  file: string,
  difference: {
    readonly field: string
    readonly name: string
    readonly saved: string
    readonly wanted: string
  },
): never {
  const { field, name, saved, wanted } = difference
  return fail('TRIMKV_SESSION_MISMATCH', `${file} was made with another ${name}`, {
    why: [`saved: ${saved}`, `now: ${wanted}`],
    hint:
      field === 'model' || field === 'gates'
        ? 'load what it was saved with, or read the text again'
        : 'leave the option out to go on as saved, or read the text again',
    details: { file, ...difference },
  })
}
