import { loadModel } from '@trimkv/engine'
import { createDevice } from '@trimkv/tensor'
import { createTrainable, initialGates, type LossTerms } from '@trimkv/trainer'
import { answer, childOptions, residentMemory } from './child-process.ts'
import { secondsOf } from './interleaved.ts'
import { denseBatch } from './reference-shape.ts'

/** What one step of gates on a frozen model took. */
export interface GateStep {
  readonly isa: string
  readonly threads: number
  /** Peak resident memory of the whole process, the mapped weights included. */
  readonly peakBytes: number
  /** Of it, what was there after the step and is not a mapped file. */
  readonly anonymousBytes: number
  /** Memory of the device: program, gates and their gradients. */
  readonly deviceBytes: number
  readonly seconds: number
  readonly terms: LossTerms
}

/** One step with recomputation, the first: it includes recording and reading the weights from disk. */
async function measure({ folder, length }: { folder: string; length: number }): Promise<GateStep> {
  using device = createDevice()
  using model = await loadModel(folder, { device })
  const { spec, weights } = model.decoder
  const gates = initialGates(device, spec, {
    kind: 'rg',
    intermediateSize: 512,
    bias: 18,
    std: 0.02,
    seed: 1,
  })
  using trainable = createTrainable({
    device,
    decoder: { spec, weights, gates: gates.values },
    learned: gates.learned,
    losses: {
      kl: 'forward',
      ntp: true,
      combine: 'mean',
      capacity: { weight: 1, budget: 256, scope: 'head', form: 'code' },
    },
    chunkRows: 256,
    recompute: true,
  })
  const batch = denseBatch({ batch: 1, length, vocab: spec.vocabSize })
  let terms: LossTerms = {}
  const seconds = await secondsOf(async () => {
    terms = await trainable.accumulate(batch, { first: true, scale: 1 })
  })
  const { peak, anonymousNow } = residentMemory()
  return {
    isa: device.isa,
    threads: device.threads,
    peakBytes: peak,
    anonymousBytes: anonymousNow,
    deviceBytes: device.bytes(),
    seconds,
    terms,
  }
}

// A process of its own, started by the benchmark.
answer(await measure(childOptions()))
