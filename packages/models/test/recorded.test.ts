import { expect, it } from 'vitest'
import type { DecoderResult } from '../src/index.ts'
import { fullCache } from './full-cache.ts'
import { loadModel, openRecorded, withGates } from './golden-model.ts'
import { runDecoder } from './run-decoder.ts'
import { nativeTestBackend, testDevice } from './test-backend.ts'

const eager = nativeTestBackend()

it('a recorded forward gives the bits of an eager one, logits and log retention', async () => {
  const gates = { folder: 'trimkv-qwen3-rg2', base: 'qwen3' }
  const model = await withGates(eager, await loadModel(eager, 'qwen3'), gates)
  const ids = [(await (await openRecorded('qwen3')).integers('input_ids')).slice(0, 20)]
  const forward = (backend: typeof eager) => {
    const cache = fullCache(backend, { spec: model.spec, batch: 1, capacity: 20, needsLogBeta: true })
    return runDecoder(backend, model, { ids, start: 0, totalLengths: [20], cache })
  }
  const valuesOf = ({ logits, logBeta }: DecoderResult<Parameters<typeof eager.read>[0]>) =>
    [logits!, ...logBeta].map((tensor) => eager.read(tensor))

  using program = testDevice.record((ops) => forward({ ...eager, ops }))
  await program.run()
  expect(valuesOf(program.result)).toEqual(valuesOf(forward(eager)))
})
