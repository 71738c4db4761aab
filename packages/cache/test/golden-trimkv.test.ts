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
  readonly kept_positions: number[][][][]
}

const promptTokens = 48

/** Feeds random keys and values with recorded log retention. */
function replay(run: Run, logBeta: { shape: number[]; data: Float32Array }): number[][][][] {
  const [layers, kvHeads, tokens] = logBeta.shape as [number, number, number]
  const shape: CacheShape = { layers, queryHeads: kvHeads, kvHeads, headDim: 4 }
  const backend = referenceTestBackend()
  const { memory_size: budget, buffer_size: buffer } = run
  const cache = createKvCache({
    storage: backend.storage,
    shape,
    policy: policies.trimkv,
    budget,
    mode: { mode: 'buffered', buffer },
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

describe.each(['qwen3-rg', 'qwen3-rg2', 'qwen3-rg3', 'llama-rg', 'phi3-rg'])(
  'released TRIM-KV, %s',
  (name) => {
    const { runs } = goldenJson(`trimkv-${name}/golden.json`) as { runs: Run[] }
    const tensors = goldenTensors(`trimkv-${name}/golden.safetensors`)
    const fixed = runs
      .filter((run) => !run.dynamic)
      .map((run, i) => ({ ...run, logBeta: tensors(`run${i}.log_beta`) }))
    // Log retention alone decides under `alpha`; `knorm_alpha` also reads keys, which only a model has.
    const alpha = fixed.filter((run) => run.strategy === 'alpha')

    it.each(alpha)('M $memory_size, buffer $buffer_size: keeps the recorded tokens at every step', (run) => {
      expect(replay(run, run.logBeta)).toEqual(run.kept_positions)
    })
  },
)
