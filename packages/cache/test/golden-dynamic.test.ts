import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { policies } from '../src/policies/index.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'
import { goldenJson, goldenTensors } from './golden-file.ts'

interface Run {
  readonly dynamic?: boolean
  readonly memory_size: number
  readonly buffer_size: number
  readonly strategy: string
  readonly floor_budget_ratio: number
  readonly kept_positions: number[][][][]
}

type Kept = number[][][]

const promptTokens = 48

const { runs } = goldenJson('trimkv-qwen3-rg/golden.json') as { runs: Run[] }
const tensors = goldenTensors('trimkv-qwen3-rg/golden.safetensors')
const dynamic = runs
  .filter((run) => run.dynamic)
  .map((run, i) => ({ ...run, logBeta: tensors(`dyn${i}.log_beta`) }))

type DynamicRun = (typeof dynamic)[number]

/** Feeds random keys and values with recorded log retention. */
function replay({ logBeta, ...run }: DynamicRun): Kept[] {
  const [layers, kvHeads, tokens] = logBeta.shape as [number, number, number]
  const shape: CacheShape = { layers, queryHeads: kvHeads, kvHeads, headDim: 4 }
  const backend = referenceTestBackend()
  const budget = run.memory_size
  const cache = createKvCache({
    storage: backend.storage,
    shape,
    policy: policies.dbtrimkv,
    options: {
      scope: run.strategy.startsWith('layer_wise') ? 'layer' : 'model',
      min: budget * run.floor_budget_ratio,
    },
    budget,
    mode: { mode: 'buffered', buffer: run.buffer_size },
    capacity: tokens,
  })
  const recorded = (layer: number, index: number): Float32Array =>
    Float32Array.from(
      { length: kvHeads },
      (_, head) => logBeta.data[(layer * kvHeads + head) * tokens + index]!,
    )
  const source = { ...seededTokens(shape, 5), logBeta: recorded }
  return run.kept_positions.map((_, step) => {
    runForward({ backend, cache, shape, sources: [source] }, { newTokens: step === 0 ? promptTokens : 1 })
    return cache.positions()
  })
}

/** For which head a winner in a slot of a head counts. */
type Credit = (winner: { head: number; slot: number }) => number

const ownHead: Credit = ({ head }) => head

/** The released code looks winners up by cumulative lengths, and takes the first slot of a head for the head before. */
const releasedCredit: Credit = ({ head, slot }) => (slot === 0 && head > 0 ? head - 1 : head)

/** Floor and pool over plain lists of tokens. */
function keptInLists({ logBeta, ...run }: DynamicRun, credit: Credit): Kept[] {
  const [layers, kvHeads, tokens] = logBeta.shape as [number, number, number]
  const { memory_size: M, buffer_size: b, floor_budget_ratio: floor } = run
  const heads = layers * kvHeads
  let kept: number[][] = Array.from({ length: heads }, () => [])
  return run.kept_positions.map((_, step) => {
    const seen = promptTokens + step
    const fresh = step === 0 ? Array.from({ length: promptTokens }, (_, i) => i) : [seen - 1]
    kept = kept.map((old) => [...old, ...fresh])
    const total = kept.reduce((sum, head) => sum + head.length, 0)
    if (total < heads * (M + b)) return nested(kept, kvHeads)
    const rate = (head: number, i: number): number =>
      Math.fround(logBeta.data[head * tokens + i]! * (seen + 1 - i))
    const pool = kept.flatMap((own, head) => own.map((i, slot) => ({ head, slot, score: rate(head, i) })))
    const winners = pool.sort((x, y) => y.score - x.score).slice(0, Math.trunc(heads * M * (1 - floor)))
    const wins = new Array<number>(heads).fill(0)
    for (const winner of winners) wins[credit(winner)]!++
    kept = kept.map((own, head) => {
      const best = own.toSorted((x, y) => rate(head, y) - rate(head, x) || y - x)
      return best.slice(0, wins[head]! + Math.trunc(M * floor)).sort((x, y) => x - y)
    })
    return nested(kept, kvHeads)
  })
}

const nested = (kept: readonly number[][], kvHeads: number): Kept =>
  Array.from({ length: kept.length / kvHeads }, (_, layer) =>
    kept.slice(layer * kvHeads, (layer + 1) * kvHeads),
  )

describe('the released cache with a budget over all heads', () => {
  const exact = dynamic.filter(
    ({ strategy, floor_budget_ratio }) => strategy !== 'knorm_alpha' && floor_budget_ratio === 0,
  )

  it.each(exact)('$strategy: keeps the recorded tokens at every step', (run) => {
    expect(replay(run)).toEqual(run.kept_positions)
  })

  it('with a floor counts winners for the wrong head, and this one does not', () => {
    const run = dynamic.find(({ floor_budget_ratio }) => floor_budget_ratio > 0)!
    expect(keptInLists(run, releasedCredit)).toEqual(run.kept_positions)
    const ours = replay(run)
    expect(ours).toEqual(keptInLists(run, ownHead))
    expect(ours).not.toEqual(run.kept_positions)
  })
})
