import { createDevice, type TensorLike } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { deviceStorage } from '../src/storage.ts'
import { referenceTestBackend, runForward, type TestBackend } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape: CacheShape = { layers: 1, queryHeads: 4, kvHeads: 2, headDim: 8 }
const D = shape.headDim
const source = seededTokens(shape, 21)
const question = 3
const tokens = 57
const context = tokens - question
const all = Array.from({ length: tokens }, (_, j) => j)
const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0)

/** FINCH's rating of the context for one head: attention of the question's queries, each times the tokens before it. */
function ratings(head: number): number[] {
  const perQuery = [2 * head, 2 * head + 1].flatMap((queryHead) =>
    Array.from({ length: question }, (_, i) => {
      const t = context + i
      const q = source.q(0, t).subarray(queryHead * D, (queryHead + 1) * D)
      const weights = all.slice(0, t + 1).map((j) => {
        const k = source.k(0, j).subarray(head * D, (head + 1) * D)
        return Math.exp(k.reduce((dot, x, d) => dot + x * q[d]!, 0) / Math.sqrt(D))
      })
      return weights.map((weight) => (weight / sum(weights)) * t)
    }),
  )
  return all.slice(0, context).map((j) => sum(perQuery.map((row) => row[j]!)) / perQuery.length)
}

/** As kvpress chooses: of every chunk the best ⌊length · share⌋, the question before all others. */
function chosen(head: number, { chunk, share }: { chunk: number; share: number }): number[] {
  const rated = ratings(head)
  const rate = (j: number): number => rated[j] ?? Number.POSITIVE_INFINITY
  const starts = all.filter((j) => j % chunk === 0)
  return starts.flatMap((first) => {
    const own = all.slice(first, first + chunk)
    const best = own.toSorted((a, b) => rate(b) - rate(a) || b - a)
    return best.slice(0, Math.floor(own.length * share)).sort((a, b) => a - b)
  })
}

/** What each head keeps of the prompt. */
function kept<T extends TensorLike>(backend: TestBackend<T>, chunk: number, budget: number): number[][] {
  using cache = createKvCache({
    storage: backend.storage,
    shape,
    ...parsePolicy(`finch:question=${question},chunk=${chunk}`),
    budget,
    mode: { mode: 'exact' },
    capacity: tokens,
  })
  runForward({ backend, cache, shape, sources: [source] }, { newTokens: tokens, whole: true })
  return cache.positions()[0]!
}

describe('the chunks of finch', () => {
  it.each([
    { chunk: 12, share: 0.5 },
    { chunk: 10, share: 0.7 },
    { chunk: 19, share: 0.25 },
    { chunk: 100, share: 0.4 },
  ])('of $chunk tokens keep a share of $share each, as kvpress chooses them', (how) => {
    using device = createDevice({ threads: 2 })
    const wanted = [0, 1].map((head) => chosen(head, how))
    const budget = wanted[0]!.length
    const whole = kept(referenceTestBackend(), 0, budget)
    expect(kept(referenceTestBackend(), how.chunk, budget)).toEqual(wanted)
    expect(kept({ storage: deviceStorage(device), ops: device.ops }, how.chunk, budget)).toEqual(wanted)
    // One chunk is the whole prompt.
    if (how.chunk > tokens) expect(whole).toEqual(wanted)
    else expect(whole).not.toEqual(wanted)
  })

  it('share out a budget that is no share of theirs as evenly as it goes', () => {
    for (let budget = 20; budget < 40; budget++) {
      for (const head of kept(referenceTestBackend(), 14, budget)) {
        expect(head).toHaveLength(budget)
        const counts = [0, 1, 2, 3].map((c) => head.filter((j) => Math.floor(j / 14) === c).length)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      }
    }
  })
})
