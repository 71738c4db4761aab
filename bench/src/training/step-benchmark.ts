import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DecoderSpec, modelShape } from '@trimkv/models'
import { createDevice, type Device } from '@trimkv/tensor'
import {
  type Batch,
  createTrainable,
  type DataSource,
  initialWeights,
  type Trainable,
  train,
} from '@trimkv/trainer'
import { secondsOf, Windows } from './interleaved.ts'
import { OpClock, type OpTime } from './op-clock.ts'
import { denseBatch, referenceBatch, referenceSpec } from './reference-shape.ts'
import { gigaflops, milliseconds, percent, printTable, type SectionOptions } from './report.ts'

const goal = 0.45
const profiledSteps = 5

/**
 * Arithmetic that a forward needs: `2·P·N` for P parameters and N tokens, a tied head counted once, and
 * `2·L·N·T·Hq·D` for the causal half of attention. A step needs three times as much: recomputation does not count.
 */
function forwardFlops(spec: DecoderSpec, { batch, length }: Pick<Batch, 'batch' | 'length'>): number {
  const tokens = batch * length
  const attention = 2 * spec.layers * tokens * length * spec.heads * spec.headDim
  return 2 * modelShape(spec).parameters * tokens + attention
}

interface Setup {
  readonly batch: Batch
  readonly trainable: Trainable
  readonly device: Device
}

/** What happens around the steps of a training run. */
interface Around {
  readonly steps: number
  before(): Promise<void>
  after(seconds: number): void
}

/** Batches that cost nothing: the same again and again. */
const sameBatch = (batch: Batch): DataSource => ({
  batch: batch.batch,
  maxLength: batch.length,
  next: async () => batch,
  state: () => null,
  restore: async () => {},
  close: async () => {},
})

/** The training loop as it is used; a step's time is from its forward to the report of its metrics. */
async function trainSteps(
  { batch, trainable, device }: Setup,
  { steps, before, after }: Around,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'trimkv-step-'))
  let begin = 0
  const timed: Trainable = {
    parameters: trainable.parameters,
    async accumulate(...step) {
      await before()
      begin = performance.now()
      return trainable.accumulate(...step)
    },
    evaluate: (...evaluation) => trainable.evaluate(...evaluation),
    [Symbol.dispose]: () => {},
  }
  try {
    await train({
      trainable: timed,
      data: sameBatch(batch),
      device,
      folder,
      recipe: null,
      options: {
        steps,
        seed: 1,
        checkpointEvery: steps,
        learningRate: { peak: 1e-4, decay: { kind: 'constant' } },
        clipNorm: 1,
        weightDecay: 0.05,
      },
      onProgress: ({ kind }) => {
        if (kind === 'step') after((performance.now() - begin) / 1000)
      },
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function setUp(device: Device, spec: DecoderSpec): Setup & Disposable {
  const { values, learned } = initialWeights(device, spec, { std: 0.02, seed: 1 })
  const trainable = createTrainable({
    device,
    decoder: { spec, weights: values },
    learned,
    losses: { ntp: true, combine: 'sum' },
  })
  return {
    device,
    trainable,
    batch: denseBatch({ ...referenceBatch, vocab: spec.vocabSize }),
    [Symbol.dispose]() {
      trainable[Symbol.dispose]()
      for (const { tensor } of learned) tensor[Symbol.dispose]()
    },
  }
}

/** Times of steps and of forwards alone, in turns; the first of each is left out. */
async function timeSteps(device: Device, spec: DecoderSpec, rounds: number) {
  using setup = setUp(device, spec)
  using windows = new Windows(device)
  let round = 0
  await trainSteps(setup, {
    steps: rounds + 1,
    async before() {
      const seconds = await secondsOf(() => setup.trainable.evaluate(setup.batch, {}))
      if (round > 0) windows.add('forward', seconds)
      windows.probe()
    },
    after(seconds) {
      if (round++ > 0) windows.add('step', seconds)
    },
  })
  return windows.medians<'forward' | 'step'>()
}

/** Time by op over some steps, the optimiser's included. */
async function profileSteps(device: Device, spec: DecoderSpec): Promise<OpTime[]> {
  const clock = new OpClock()
  using setup = setUp(clock.watch(device), spec)
  let step = 0
  await trainSteps(setup, {
    steps: profiledSteps + 1,
    before: async () => {},
    after: () => {
      if (step++ === 0) clock.reset()
    },
  })
  return clock.times()
}

/** One training step of the reference model: its share of the FMA peak, and where its time goes. */
export async function stepBenchmark({ rounds, print }: SectionOptions): Promise<Record<string, unknown>> {
  using device = createDevice()
  const spec = referenceSpec()
  const tokens = referenceBatch.batch * referenceBatch.length
  const { seconds, ceilings } = await timeSteps(device, spec, rounds)
  const profile = await profileSteps(device, spec)
  const forward = forwardFlops(spec, referenceBatch)
  const flops = 3 * forward
  const result = {
    isa: device.isa,
    threads: device.threads,
    parameters: modelShape(spec).parameters,
    ...referenceBatch,
    ceilings,
    seconds,
    tokensPerSecond: tokens / seconds.step,
    share: {
      step: flops / seconds.step / ceilings.flops,
      forward: forward / seconds.forward / ceilings.flops,
      goal,
    },
    profile: profile.map((time) => ({
      ...time,
      seconds: time.seconds / profiledSteps,
      calls: time.calls / profiledSteps,
    })),
  }
  print(
    `Step of the reference model, ${device.isa}, ${device.threads} threads, FMA peak ${gigaflops(ceilings.flops)}`,
  )
  printTable(print, [
    ['', 'time', 'rate', 'of the peak', 'goal', 'tokens/s'],
    [
      'step',
      milliseconds(seconds.step),
      gigaflops(flops / seconds.step),
      percent(result.share.step),
      `≥ ${percent(goal)}`,
      result.tokensPerSecond.toFixed(0),
    ],
    [
      'forward and losses alone',
      milliseconds(seconds.forward),
      gigaflops(forward / seconds.forward),
      percent(result.share.forward),
      '',
      (tokens / seconds.forward).toFixed(0),
    ],
  ])
  printTable(print, [
    ['op', 'calls', 'time per step', 'share', 'rate'],
    ...result.profile.map(({ name, calls, seconds: time, share, flops: all }) => [
      name,
      String(calls),
      milliseconds(time),
      percent(share),
      all > 0 ? gigaflops(all / profiledSteps / time) : '',
    ]),
  ])
  return result
}
