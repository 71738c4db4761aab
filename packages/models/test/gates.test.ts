import type { TensorLike } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import type { Decoder } from '../src/index.ts'
import { distance, logitBound, relativeDistance } from './comparison.ts'
import { fullCache } from './full-cache.ts'
import { loadModel, openRecorded, withGates, withRecordedGates } from './golden-model.ts'
import { runDecoder } from './run-decoder.ts'
import { nativeTestBackend, referenceTestBackend, type TestBackend } from './test-backend.ts'

const releases = [
  { folder: 'trimkv-qwen3-rg', base: 'qwen3' },
  { folder: 'trimkv-qwen3-rg2', base: 'qwen3' },
  { folder: 'trimkv-qwen3-rg3', base: 'qwen3' },
  { folder: 'trimkv-llama-rg', base: 'llama' },
  { folder: 'trimkv-phi3-rg', base: 'phi3' },
]

/** Relative, element by element: a relative error of log β is the absolute error of the gate's output. */
const logBetaBound = 2e-4

interface Prompts {
  readonly ids: readonly Int32Array[]
}

function run<T extends TensorLike>(backend: TestBackend<T>, model: Decoder<T>, { ids }: Prompts) {
  const length = ids[0]!.length
  const cache = fullCache(backend, {
    spec: model.spec,
    batch: ids.length,
    capacity: length,
    needsLogBeta: true,
  })
  return runDecoder(backend, model, { ids, start: 0, totalLengths: ids.map(() => length), cache })
}

/** [B, C, H] → [B][H][C] in one array, the order of the recordings. */
function headMajor<T extends TensorLike>(backend: TestBackend<T>, logBeta: T): Float64Array {
  const [B, C, H] = logBeta.shape as [number, number, number]
  const values = backend.read(logBeta)
  return Float64Array.from({ length: B * C * H }, (_, i) => {
    const [b, h, c] = [Math.floor(i / (H * C)), Math.floor(i / C) % H, i % C]
    return values[(b * C + c) * H + h]!
  })
}

function describeGates<T extends TensorLike>(backendName: string, backend: TestBackend<T>): void {
  describe.each(releases)(`$folder on ${backendName}`, ({ folder, base }) => {
    it('gives the recorded log retention of every prompt token, layer and head, and leaves logits alone', async () => {
      const model = await withGates(backend, await loadModel(backend, base), { folder, base })
      const recorded = await openRecorded(folder)
      const { logBeta, logits } = run(backend, model, { ids: [await recorded.integers('input_ids')] })
      const wanted = await recorded.floats('run0.log_beta')
      const { layers, kvHeads } = model.spec
      const tokens = wanted.length / layers / kvHeads
      for (const [layer, tensor] of logBeta.entries()) {
        const rows = [...Array(kvHeads).keys()].flatMap((h) => {
          const at = (layer * kvHeads + h) * tokens
          return [...wanted.slice(at, at + 48)]
        })
        expect(relativeDistance(headMajor(backend, tensor), rows)).toBeLessThan(logBetaBound)
      }
      const prefillLogits = await recorded.floats('run0.prefill_logits')
      expect(distance(backend.read(logits!), prefillLogits)).toBeLessThanOrEqual(logitBound(prefillLogits))
    })
  })

  describe.each(['rg', 'rg10'] as const)(`gates of training, %s on ${backendName}`, (kind) => {
    it('give the recorded log retention of the first layer for a batch of two', async () => {
      const recorded = await openRecorded('training')
      const model = await withRecordedGates(backend, await loadModel(backend, 'qwen3'), {
        listing: recorded.listing,
        prefix: `${kind}.gates.`,
        kind,
        intermediateSize: 40,
      })
      const ids = await recorded.integers('input_ids')
      const { logBeta, logits } = run(backend, model, { ids: [ids.slice(0, 48), ids.slice(48)] })
      const wanted = await recorded.floats(`${kind}.log_beta`)
      const first = headMajor(backend, logBeta[0]!)
      expect(relativeDistance(first, wanted.slice(0, first.length))).toBeLessThan(logBetaBound)
      const teacher = await recorded.floats('teacher_logits')
      expect(distance(backend.read(logits!), teacher)).toBeLessThanOrEqual(logitBound(teacher))
    })
  })
}

describeGates('the f64 reference', referenceTestBackend())
describeGates('the native device', nativeTestBackend())
