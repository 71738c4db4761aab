import {
  type CacheMeter,
  type EvictionMode,
  type GivenOptions,
  type KvDType,
  tokenBytes,
} from '@trimkv/cache'
import { fail } from '@trimkv/tensor'
import { cacheShape } from './cache-options.ts'
import type { DecoderSession } from './decoder-session.ts'

/** What a run used, now and at its peak. */
export interface Meter extends CacheMeter {
  /** Tokens dropped per head, over all sequences. */
  readonly evictions: number
  /** Bytes that keeping every token read so far would take. */
  readonly fullBytes: number
}

/** How a run was cached, and what came of it. */
export interface CacheReport {
  readonly policy: string
  readonly policyOptions: GivenOptions
  /** Tokens per layer and head, or their mean where heads share a budget; undefined when the policy keeps everything. */
  readonly budget: number | undefined
  /** Where layers have budgets of their own: slots that the heads of each have; `budget` is then their mean. */
  readonly layerBudgets?: readonly number[]
  readonly mode: EvictionMode
  readonly kvDtype: KvDType
  /** Whether a budget came under pressure; where it did not, every policy is the full cache. */
  readonly budgetReached: boolean
  readonly meter: Meter
}

const seenTokens = ({ cache }: DecoderSession): number[] =>
  Array.from({ length: cache.batch }, (_, seat) => cache.seen(seat))

/** Entries and bytes of a session, now and at their peak. */
export function meterOf(session: DecoderSession): Meter {
  const { cache, model, options } = session
  const read = seenTokens(session).reduce((a, b) => a + b, 0)
  const fullBytes = read * tokenBytes(cacheShape(model.spec), options.kvDtype)
  return { ...cache.meter(), evictions: cache.evictions, fullBytes }
}

/**
 * Reports on a run.
 * @throws TRIMKV_INVARIANT when more tokens than the policy may store were read and nothing was evicted
 */
export function cacheReport(session: DecoderSession): CacheReport {
  const { cache, options } = session
  const { policy, policyOptions, mode, kvDtype } = options
  const { eviction } = cache.policy
  const meter = meterOf(session)
  const longest = Math.max(...seenTokens(session))
  if (eviction && eviction.when === 'decode' && longest > cache.holds && meter.evictions === 0) {
    fail('TRIMKV_INVARIANT', `${policy.name} never evicted under pressure`, {
      why: [`${longest} tokens were read, and only ${cache.holds} per head may be stored`],
      hint: 'this is a bug of the cache: please report it',
    })
  }
  const budgetReached = meter.evictions > 0
  return {
    policy: policy.name,
    policyOptions,
    budget: eviction?.budget,
    ...(eviction?.shares?.kind === 'perLayer' && { layerBudgets: eviction.shares.budgets }),
    mode,
    kvDtype,
    budgetReached,
    meter,
  }
}
