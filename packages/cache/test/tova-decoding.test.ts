import { createDevice } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import type { EvictionMode } from '../src/eviction-mode.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { deviceStorage } from '../src/storage.ts'
import { referenceTestBackend } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'
import { type HeadList, replayOnLists, singles } from './list-replay.ts'

const shape: CacheShape = { layers: 1, queryHeads: 4, kvHeads: 2, headDim: 8 }
const group = shape.queryHeads / shape.kvHeads

/** The mean over all query heads of the last query's attention to what is stored; nothing is spared. */
function lastRow({ source, tokens, seen }: HeadList): number[] {
  const D = shape.headDim
  const rows = Array.from({ length: shape.queryHeads }, (_, queryHead) => {
    const q = source.q(0, seen - 1).subarray(queryHead * D, (queryHead + 1) * D)
    const head = Math.floor(queryHead / group)
    const weights = tokens.map((token) => {
      const k = source.k(0, token).subarray(head * D, (head + 1) * D)
      return Math.exp(k.reduce((dot, x, d) => dot + x * q[d]!, 0) / Math.sqrt(D))
    })
    const total = weights.reduce((a, b) => a + b, 0)
    return weights.map((weight) => weight / total)
  })
  return tokens.map((_, slot) => rows.reduce((sum, row) => sum + row[slot]!, 0) / rows.length)
}

describe.each<EvictionMode>([
  { mode: 'exact' },
  { mode: 'buffered', buffer: 1 },
  { mode: 'buffered', buffer: 5 },
])('tova while decoding, $mode $buffer', (mode) => {
  it('drops what the last query attends to least, be it the newest token', () => {
    using device = createDevice({ threads: 2 })
    const budget = 9
    const replay = {
      shape,
      policy: parsePolicy('tova'),
      budget,
      mode,
      sources: [seededTokens(shape, 8)],
      requests: singles(60),
      rate: lastRow,
    }
    for (const held of [
      replayOnLists({ ...replay, backend: referenceTestBackend() }),
      replayOnLists({ ...replay, backend: { storage: deviceStorage(device), ops: device.ops } }),
    ]) {
      expect(held.length).toBeGreaterThan(8)
      for (const { got, wanted } of held) expect(got).toEqual(wanted)
      if (mode.mode === 'buffered' && mode.buffer > 1) continue
      // The tokens read so far when each cut was made: one a forward from the first cut on.
      const newestGone = held.filter(({ got }, i) => !got[0]![0]!.includes(budget + i))
      expect(newestGone.length).toBeGreaterThan(0)
    }
  })
})
