import type { TensorLike } from '@trimkv/tensor'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Decoder } from '../src/index.ts'
import { distance, logitBound } from './comparison.ts'
import { fullCache } from './full-cache.ts'
import { loadModel, openRecorded } from './golden-model.ts'
import { runDecoder } from './run-decoder.ts'
import { nativeTestBackend, referenceTestBackend, type TestBackend } from './test-backend.ts'

const models = ['qwen3', 'qwen3-untied', 'qwen2', 'llama', 'llama-plain', 'phi3', 'phi3-longrope']

const argmax = (row: ArrayLike<number>): number =>
  Array.from(row).reduce((best, x, i, all) => (x > all[best]! ? i : best), 0)

/** Continues `prompt` by the likeliest token until there are `length` tokens. */
function continueGreedily<T extends TensorLike>(
  backend: TestBackend<T>,
  model: Decoder<T>,
  { prompt, length }: { prompt: readonly number[]; length: number },
): number[] {
  const cache = fullCache(backend, { spec: model.spec, batch: 1, capacity: length })
  const ids = [...prompt]
  let start = 0
  while (ids.length < length) {
    const chunk = { ids: [ids.slice(start)], start, totalLengths: [length], cache, logits: 'last' as const }
    start = ids.length
    ids.push(argmax(backend.read(runDecoder(backend, model, chunk).logits!)))
  }
  return ids
}

function describeParity<T extends TensorLike>(backendName: string, backend: TestBackend<T>): void {
  describe.each(models)(`%s on ${backendName}`, (name) => {
    let model: Decoder<T>
    let recorded: Awaited<ReturnType<typeof openRecorded>>
    beforeAll(async () => {
      model = await loadModel(backend, name)
      recorded = await openRecorded(name)
    })

    it('gives the logits of transformers', async () => {
      const ids = await recorded.integers('input_ids')
      const cache = fullCache(backend, { spec: model.spec, batch: 1, capacity: ids.length })
      const { logits } = runDecoder(backend, model, {
        ids: [ids],
        start: 0,
        totalLengths: [ids.length],
        cache,
      })
      const wanted = await recorded.floats('logits')
      expect(distance(backend.read(logits!), wanted)).toBeLessThanOrEqual(logitBound(wanted))
    })

    it('continues greedily with the tokens of transformers', async () => {
      const wanted = Array.from(await recorded.integers('greedy_ids'))
      expect(
        continueGreedily(backend, model, { prompt: wanted.slice(0, 40), length: wanted.length }),
      ).toEqual(wanted)
    })
  })
}

describeParity('the f64 reference', referenceTestBackend())
describeParity('the native device', nativeTestBackend())
