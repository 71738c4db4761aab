import { createDevice } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import type { EvictionMode } from '../src/eviction-mode.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { policies } from '../src/policies/index.ts'
import { deviceStorage } from '../src/storage.ts'
import { referenceTestBackend } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'
import { type HeadList, replayOnLists, singles } from './list-replay.ts'

const shape: CacheShape = { layers: 1, queryHeads: 2, kvHeads: 2, headDim: 8 }
const sinks = 2
const D = shape.headDim

/** Unbiased deviation. */
function deviation(x: readonly number[]): number {
  const mean = x.reduce((a, b) => a + b, 0) / x.length
  return Math.sqrt(x.reduce((sum, y) => sum + (y - mean) ** 2, 0) / (x.length - 1))
}

function softmax(x: readonly number[]): number[] {
  const weights = x.map((y) => Math.exp(y))
  const total = weights.reduce((a, b) => a + b, 0)
  return weights.map((y) => y / total)
}

/** How far rows stand out of the rows that follow them. */
function standOut(rows: readonly Float32Array[], next: readonly Float32Array[]): number[] {
  const channels = Array.from({ length: D }, (_, d) => next.map((row) => row[d]!))
  const range = channels.map((x) => ({ low: Math.min(...x), high: Math.max(...x) }))
  return softmax(
    rows.map((row) => deviation(range.map(({ low, high }, d) => (row[d]! - low) / (high - low)))),
  )
}

/** LagKV over what a head holds, cut into partitions anew. */
const lag =
  (partition: number) =>
  ({ source, head, tokens }: HeadList): number[] => {
    const scores = tokens.map((token, slot) => (slot < sinks ? Number.POSITIVE_INFINITY : token))
    if (tokens.length < sinks + 2 * partition) return scores
    scores.fill(1, sinks)
    for (let first = sinks; first + 2 * partition <= tokens.length; first += partition) {
      const stretch = (signal: 'k' | 'v', from: number): Float32Array[] =>
        tokens
          .slice(from, from + partition)
          .map((token) => source[signal](0, token).subarray(head * D, (head + 1) * D))
      const [ofKeys, ofValues] = (['k', 'v'] as const).map((signal) =>
        standOut(stretch(signal, first), stretch(signal, first + partition)),
      )
      const both = ofKeys!.map((x, i) => x + ofValues![i]!)
      for (const [i, x] of both.entries()) scores[first + i] = both.filter((y) => y < x).length / partition
    }
    return scores
  }

const modes: readonly EvictionMode[] = [{ mode: 'exact' }, { mode: 'buffered', buffer: 9 }]
/** Partitions that fit what is stored several times; just once, so that the rest is most of it; never. */
const partitions = [3, 7, 20]
const budget = 17

describe.each(modes)('lagkv while decoding, $mode', (mode) => {
  it.each(partitions)('divides what is stored anew at every cut: partitions of %d', (partition) => {
    using device = createDevice({ threads: 2 })
    const source = seededTokens(shape, 5)
    const replay = {
      shape,
      policy: parsePolicy(`lagkv:when=decode,sinks=${sinks},partition=${partition}`),
      budget,
      mode,
      sources: [source],
      requests: [{ newTokens: 30 }, ...singles(25), { newTokens: 4 }, ...singles(12)],
      rate: lag(partition),
    }
    for (const held of [
      replayOnLists({ ...replay, backend: referenceTestBackend() }),
      replayOnLists({ ...replay, backend: { storage: deviceStorage(device), ops: device.ops } }),
    ]) {
      expect(held.length).toBeGreaterThan(4)
      for (const { got, wanted } of held) {
        expect(got).toEqual(wanted)
        for (const head of got[0]!) expect(head).toHaveLength(budget)
      }
      const newest = held.at(-1)!.got[0]!.every((head) => head.at(2)! === head.at(-1)! - budget + 3)
      expect(newest).toBe(partition === 20)
    }
  })
})

it('lagkv cuts after the prompt unless it is told otherwise', () => {
  expect(policies.lagkv.options.when?.default).toBe('prefill')
})
