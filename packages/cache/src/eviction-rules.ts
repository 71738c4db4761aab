import { fail, type TensorLike } from '@trimkv/tensor'
import { extraSlots } from './eviction-mode.ts'
import type { KvCacheOptions } from './kv-arena.ts'
import { raggedPageSlots } from './ragged-tables.ts'
import type { Eviction, HeadShares, ResolvedPolicy } from './resolved-policy.ts'
import { findsVictimInAttention } from './resolved-policy.ts'
import type { EvictionRules, RaggedRules } from './step-plan.ts'

/** Slots per head, or a message that none were given. */
function capacitySlots(
  policy: string,
  why: string,
  capacity: KvCacheOptions<TensorLike>['capacity'],
): number {
  const slots = typeof capacity === 'object' ? capacity.limit : capacity
  if (slots !== undefined && Number.isInteger(slots) && slots >= 1) return slots
  return fail('TRIMKV_OPTION', `capacity must be an integer ≥ 1, got ${slots}`, { why: [`${policy} ${why}`] })
}

const holdsAll = 'evicts nothing while decoding, so the cache must know how much it will hold'
const headHoldsAll = 'lets one head keep what others drop, so the cache must know how long a sequence gets'

function triggersOf<T extends TensorLike>(
  eviction: Eviction & { readonly shares: HeadShares },
  { shape, mode }: KvCacheOptions<T>,
): Pick<RaggedRules, 'group' | 'triggers'> {
  const { shares, budget, when } = eviction
  const heads = shape.layers * shape.kvHeads
  const buffer = when === 'decode' && mode.mode === 'buffered' ? mode.buffer : undefined
  if (shares.kind !== 'pooled') {
    const { kvHeads } = shape
    const budgets =
      shares.kind === 'perHead'
        ? shares.budgets
        : shares.budgets.flatMap((own) => new Array<number>(kvHeads).fill(own))
    return { group: 1, triggers: budgets.map((own) => own + (buffer ?? 1)) }
  }
  const group = shares.scope === 'model' ? heads : shape.kvHeads
  // Without a buffer one slot too many is enough. The released code takes M + b as full for a pool of all layers, and as
  // not yet full for the pool of a layer.
  const over = shares.scope === 'model' ? 0 : 1
  const trigger = buffer === undefined ? group * budget + 1 : group * (budget + buffer) + over
  return { group, triggers: new Array<number>(heads / group).fill(trigger) }
}

/** Budgets of layers, none too small for what always stays and one token more, however little a prompt leaves it. */
function layerBudgets({ shares, protect }: Eviction): RaggedRules['layerBudgets'] {
  if (shares?.kind !== 'perLayer') return undefined
  const { budgets, keep = () => budgets } = shares
  return ({ tokens, pinned }) => {
    const least = Math.max(protect.first, pinned) + protect.last + 1
    return keep(tokens).map((own) => Math.max(own, least))
  }
}

function raggedRules<T extends TensorLike>(
  policy: ResolvedPolicy,
  eviction: Eviction & { readonly shares: HeadShares },
  options: KvCacheOptions<T>,
): EvictionRules {
  const { mode, capacity, storage } = options
  const { budget, shares, when } = eviction
  const pageSlots = raggedPageSlots(storage.pageBytes, options)
  const wanted = Math.max(budget, capacitySlots(policy.name, headHoldsAll, capacity))
  const limited = shares.kind === 'pooled' && shares.threshold > Number.NEGATIVE_INFINITY
  return {
    slots: Math.ceil(wanted / pageSlots) * pageSlots,
    budget,
    trigger: Number.POSITIVE_INFINITY,
    afterPromptOnly: when === 'prefill',
    findsVictim: false,
    ragged: {
      ...triggersOf(eviction, options),
      everyTokens: limited ? extraSlots(when === 'prefill' ? { mode: 'exact' } : mode) : undefined,
      afterLastLayer: shares.kind === 'pooled' && shares.scope === 'model',
      pageSlots,
      layerBudgets: layerBudgets(eviction),
    },
  }
}

/** When a cache evicts and how many slots it takes: from its policy, budget, mode and capacity. @throws TRIMKV_OPTION */
export function evictionRules<T extends TensorLike>(
  policy: ResolvedPolicy,
  options: KvCacheOptions<T>,
): EvictionRules {
  const { mode, capacity } = options
  const extra = extraSlots(mode)
  const { eviction } = policy
  if (!eviction) {
    const slots = capacitySlots(policy.name, holdsAll, capacity)
    return {
      slots,
      budget: undefined,
      trigger: Number.POSITIVE_INFINITY,
      afterPromptOnly: false,
      findsVictim: false,
    }
  }
  const { budget, shares } = eviction
  if (shares) return raggedRules(policy, { ...eviction, shares }, options)
  if (eviction.when === 'prefill') {
    const slots = capacitySlots(policy.name, holdsAll, capacity)
    return {
      slots: Math.max(slots, budget),
      budget,
      trigger: budget + 1,
      afterPromptOnly: true,
      findsVictim: false,
    }
  }
  const findsVictim = findsVictimInAttention(policy, mode)
  return { slots: budget + extra, budget, trigger: budget + extra, afterPromptOnly: false, findsVictim }
}
