import { createDevice, type TensorLike } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { deviceStorage } from '../src/storage.ts'
import { referenceTestBackend, runForward, type TestBackend } from '../src/testing/run-forward.ts'
import type { TokenSource } from '../src/testing/token-source.ts'
import { goldenJson, goldenTensors } from './golden-file.ts'

interface Golden {
  readonly prefill: number
  readonly decode: number
  readonly cases: Readonly<Record<string, readonly { readonly seen: number; readonly kept: number[][] }[]>>
}

const golden = goldenJson('policies-decode/golden.json') as Golden
const inputs = goldenTensors('policies-decode/inputs.safetensors')
const D = 16

/** Rows of one token out of [heads, tokens, D]. */
function rows(name: string, heads: number): (layer: number, index: number) => Float32Array {
  const { data, shape } = inputs(name)
  const tokens = shape[1]!
  return (_, index) => {
    const out = new Float32Array(heads * D)
    for (let h = 0; h < heads; h++)
      out.set(data.subarray((h * tokens + index) * D, (h * tokens + index + 1) * D), h * D)
    return out
  }
}

interface Case {
  readonly policy: string
  readonly buffer: number
  readonly queryHeads: number
}

/** Feeds the recorded tokens to a cache of budget 32 and collects what is kept whenever something was dropped. */
function replay<T extends TensorLike>(
  backend: TestBackend<T>,
  { policy: text, buffer, queryHeads }: Case,
): { seen: number; kept: number[][] }[] {
  const { policy, options } = parsePolicy(text)
  const shape: CacheShape = { layers: 1, queryHeads, kvHeads: 2, headDim: D }
  const mode = { mode: 'buffered', buffer } as const
  const cache = createKvCache({ storage: backend.storage, shape, policy, options, budget: 32, mode })
  const source: TokenSource = {
    q: rows('queries', queryHeads),
    k: rows('keys', 2),
    v: rows('values', 2),
    input: () => new Float32Array(0),
    logBeta: () => new Float32Array(2),
  }
  const forwards = [golden.prefill, ...Array.from({ length: golden.decode }, () => 1)]
  return forwards.flatMap((newTokens) => {
    const { plan } = runForward({ backend, cache, shape, sources: [source] }, { newTokens })
    return plan.due[0] ? [{ seen: cache.seen(), kept: cache.positions()[0]! }] : []
  })
}

const cases: Readonly<Record<string, Case>> = {
  snapkv: { policy: 'snapkv:window=8,kernel=7', buffer: 16, queryHeads: 4 },
  'rkv-last': { policy: 'r-kv:lambda=0.1,window=8,kernel=7', buffer: 16, queryHeads: 4 },
  'rkv-last-every': { policy: 'r-kv:lambda=0.3,window=8,kernel=7', buffer: 1, queryHeads: 4 },
  streaming: { policy: 'streaming:sinks=4', buffer: 1, queryHeads: 4 },
  h2o: { policy: 'h2o:recent=16', buffer: 1, queryHeads: 2 },
}

describe('decode-time selections of the public implementations', () => {
  it.each(Object.keys(cases))('%s keeps the same tokens at every compression', (name) => {
    expect(replay(referenceTestBackend(), cases[name]!)).toEqual(golden.cases[name])
  })

  it.each(Object.keys(cases))('%s keeps the same tokens on the native device', (name) => {
    using device = createDevice({ threads: 2 })
    const backend = { storage: deviceStorage(device), ops: device.ops }
    expect(replay(backend, cases[name]!)).toEqual(golden.cases[name])
  })
})
