import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape: CacheShape = { layers: 1, queryHeads: 6, kvHeads: 3, headDim: 8 }
const tokens = 40
const source = seededTokens(shape, 12)
const heads = [0, 1, 2]
const all = Array.from({ length: tokens }, (_, j) => j)

const row = (signal: 'k' | 'v', head: number, j: number): number[] => [
  ...source[signal](0, j).subarray(head * shape.headDim, (head + 1) * shape.headDim),
]
const shortness = (head: number, j: number): number => -Math.hypot(...row('k', head, j))
/** The norm of the value stands for that of the output. */
const mark = (head: number, j: number): number => row('v', head, j).reduce((sum, x) => sum + Math.abs(x), 0)

interface Settings {
  readonly budget: number
  readonly share: number
  readonly safeguard: number
  readonly epsilon: number
}

/** What kvpress's CriticalAdaKVPress keeps [head], tokens ascending. */
function definition({ budget, share, safeguard, epsilon }: Settings): number[][] {
  const safe = Math.floor(budget * safeguard)
  const scores = heads.map((head) => {
    const own = all.map((j) => shortness(head, j))
    const best = all.toSorted((a, b) => own[b]! - own[a]!).slice(0, safe)
    return own.map((score, j) => (best.includes(j) ? Number.MAX_VALUE : score))
  })
  const pool = heads.flatMap((head) => all.map((j) => ({ head, score: scores[head]![j]! })))
  const won = pool.toSorted((a, b) => b.score - a.score).slice(0, budget * heads.length)
  return heads.map((head) => {
    const own = scores[head]!
    const count = won.filter((slot) => slot.head === head).length
    const first = all.toSorted((a, b) => own[b]! - own[a]!).slice(0, Math.floor(share * count))
    const second = own.map((score, j) =>
      score === Number.MAX_VALUE || first.includes(j)
        ? Number.POSITIVE_INFINITY
        : (score + epsilon) * mark(head, j),
    )
    return all
      .toSorted((a, b) => second[b]! - second[a]!)
      .slice(0, count)
      .sort((a, b) => a - b)
  })
}

function kept(settings: Settings, base: string): number[][] {
  const { budget, share, safeguard, epsilon } = settings
  const backend = referenceTestBackend()
  const text = `criticalkv:${base},heads=pooled,share=${share},safeguard=${safeguard},epsilon=${epsilon},when=prefill`
  using cache = createKvCache({
    storage: backend.storage,
    shape,
    ...parsePolicy(text),
    budget,
    mode: { mode: 'exact' },
    capacity: 60,
  })
  runForward({ backend, cache, shape, sources: [source] }, { newTokens: tokens, whole: true })
  return cache.positions()[0]!
}

describe('criticalkv whose heads compete', () => {
  it.each([
    { budget: 15, share: 0.4, safeguard: 0.2, epsilon: 3 },
    { budget: 15, share: 0.5, safeguard: 0, epsilon: 1e-4 },
    // More is safe than the first stage takes.
    { budget: 12, share: 0.1, safeguard: 0.75, epsilon: 3 },
    { budget: 12, share: 0, safeguard: 0.25, epsilon: 5 },
  ])('keeps what its definition keeps: %o', (settings) => {
    const wanted = definition(settings)
    expect(kept(settings, 'base=knorm')).toEqual(wanted)
    expect(new Set(wanted.map((own) => own.length)).size).toBeGreaterThan(1)
  })

  it('keeps a window that its base protects, inside the budget', () => {
    const settings = { budget: 10, share: 0, safeguard: 0, epsilon: 1e-4 }
    const slots = kept(settings, 'base=snapkv,window=4,kernel=1')
    for (const own of slots) expect(own.slice(-4)).toEqual([36, 37, 38, 39])
    expect(slots.flat().length).toBe(10 * heads.length)
  })
})
