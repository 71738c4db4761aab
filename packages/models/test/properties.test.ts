import type { RefTensor, TensorLike } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import { type Decoder, decoderLogits } from '../src/index.ts'
import { distance } from './comparison.ts'
import { fullCache } from './full-cache.ts'
import { loadModel, openRecorded, withGates } from './golden-model.ts'
import { runDecoder } from './run-decoder.ts'
import { nativeTestBackend, referenceTestBackend, type TestBackend } from './test-backend.ts'

const backend = referenceTestBackend()

interface Chunks {
  readonly sequences: readonly (readonly number[])[]
  /** Tokens of each chunk. */
  readonly lengths: readonly number[]
  readonly totalLengths: readonly number[]
}

/** Logits of sequences run together, chunk by chunk: [sequence][token · vocab]. */
function runInChunks<T extends TensorLike>(
  backend: TestBackend<T>,
  model: Decoder<T>,
  { sequences, lengths, totalLengths }: Chunks,
): number[][] {
  const capacity = sequences[0]!.length
  const cache = fullCache(backend, { spec: model.spec, batch: sequences.length, capacity })
  const logits: number[][] = sequences.map(() => [])
  let start = 0
  for (const length of lengths) {
    const ids = sequences.map((sequence) => sequence.slice(start, start + length))
    const values = Array.from(
      backend.read(runDecoder(backend, model, { ids, start, totalLengths, cache }).logits!),
    )
    const perSequence = values.length / sequences.length
    for (const [i, row] of logits.entries()) row.push(...values.slice(i * perSequence, (i + 1) * perSequence))
    start += length
  }
  return logits
}

async function promptOf(name: string, length: number): Promise<number[]> {
  return Array.from((await (await openRecorded(name)).integers('input_ids')).slice(0, length))
}

function describeChunksAndBatches<T extends TensorLike>(
  backendName: string,
  { backend, rounding }: { backend: TestBackend<T>; rounding: number },
): void {
  describe.each(['qwen3', 'qwen2', 'llama', 'phi3-longrope'])(`%s on ${backendName}`, (name) => {
    it('gives the same logits in chunks and token by token as at once', async () => {
      const model = await loadModel(backend, name)
      const ids = await promptOf(name, 24)
      const totalLengths = [24]
      const [atOnce] = runInChunks(backend, model, { sequences: [ids], lengths: [24], totalLengths })
      const lengths = [13, 1, 1, 5, 1, 1, 1, 1]
      const [inChunks] = runInChunks(backend, model, { sequences: [ids], lengths, totalLengths })
      expect(distance(inChunks!, atOnce!)).toBeLessThanOrEqual(rounding)
    })

    it('gives every sequence of a batch what it gets alone, to the bit', async () => {
      const model = await loadModel(backend, name)
      const first = await promptOf(name, 16)
      const second = first.map((id) => (id * 7 + 3) % model.spec.vocabSize)
      const lengths = [15, 1]
      const totals = [16, 200]
      const together = runInChunks(backend, model, {
        sequences: [first, second],
        lengths,
        totalLengths: totals,
      })
      const alone = [first, second].map(
        (ids, i) =>
          runInChunks(backend, model, { sequences: [ids], lengths, totalLengths: [totals[i]!] })[0]!,
      )
      expect(together).toEqual(alone)
    })
  })
}

// Both sides are f64 and differ in the order of sums; native kernels keep that order whatever the chunk.
describeChunksAndBatches('the f64 reference', { backend: referenceTestBackend(), rounding: 1e-9 })
describeChunksAndBatches('the native device', { backend: nativeTestBackend(), rounding: 0 })

describe('which rows get logits', () => {
  it("'last' gives the last row of every sequence, 'none' none, and hidden states lead to the same", async () => {
    const model = await loadModel(backend, 'qwen3')
    const ids = [await promptOf('qwen3', 6), (await promptOf('qwen3', 12)).slice(6)]
    const run = (logits: 'all' | 'last' | 'none') => {
      const cache = fullCache(backend, { spec: model.spec, batch: 2, capacity: 6 })
      return runDecoder(backend, model, { ids, start: 0, totalLengths: [6, 6], cache, logits })
    }
    const vocab = model.spec.vocabSize
    const all = run('all')
    const rows = backend.read(all.logits!) as Float64Array
    const lastRows = [...rows.slice(5 * vocab, 6 * vocab), ...rows.slice(11 * vocab)]
    expect([...(backend.read(run('last').logits!) as Float64Array)]).toEqual(lastRows)
    const none = run('none')
    expect(none.logits).toBeUndefined()
    expect(backend.read(decoderLogits(backend.ops, model, none.hidden))).toEqual(rows)
  })
})

describe('onLayer', () => {
  it('is called before the ops of each layer, in order, and after those before the layers', async () => {
    const model = await loadModel(backend, 'qwen3')
    const events: string[] = []
    const { ops } = backend
    const traced: TestBackend<RefTensor> = {
      ...backend,
      ops: {
        ...ops,
        embed: (inputs) => {
          events.push('embed')
          return ops.embed(inputs)
        },
        swiglu: (inputs) => {
          events.push('mlp')
          return ops.swiglu(inputs)
        },
      },
    }
    const cache = fullCache(backend, { spec: model.spec, batch: 1, capacity: 2 })
    const onLayer = (layer: number) => events.push(`layer ${layer}`)
    runDecoder(traced, model, { ids: [[1, 2]], start: 0, totalLengths: [2], cache, onLayer })
    const layers = Array.from({ length: model.spec.layers }, (_, layer) => [`layer ${layer}`, 'mlp'])
    expect(events).toEqual(['embed', ...layers.flat()])
  })
})

describe('log retention', () => {
  it('is computed only for a cache that needs it', async () => {
    const model = await withGates(backend, await loadModel(backend, 'qwen3'), {
      folder: 'trimkv-qwen3-rg',
      base: 'qwen3',
    })
    const ids = [await promptOf('qwen3', 4)]
    const run = (needsLogBeta: boolean) => {
      const cache = fullCache(backend, { spec: model.spec, batch: 1, capacity: 4, needsLogBeta })
      return runDecoder(backend, model, { ids, start: 0, totalLengths: [4], cache }).logBeta
    }
    expect(run(false)).toEqual([])
    expect(run(true).map(({ shape }) => shape)).toEqual([
      [1, 4, 2],
      [1, 4, 2],
      [1, 4, 2],
    ])
  })

  it('is refused before anything runs when the model has no gates', async () => {
    const model = await loadModel(backend, 'qwen3')
    const cache = {
      needs: { logBeta: true },
      attend: (): never => {
        throw new Error('the forward has begun')
      },
    }
    expect(() => runDecoder(backend, model, { ids: [[1]], start: 0, totalLengths: [1], cache })).toThrowError(
      expect.objectContaining({ code: 'TRIMKV_GATES_MISMATCH' }),
    )
  })
})
