import { fail } from '@trimkv/tensor'
import type { DataSource } from '../data-source.ts'
import type { LearningRateSchedule } from './learning-rate.ts'

/** How a run trains. All but `checkpointEvery` is part of what the run is: it cannot change when the run goes on. */
export interface TrainOptions {
  /** Updates of the parameters. */
  readonly steps: number
  /** Micro-batches per step, whose gradients are averaged. Default: 1. */
  readonly accumulation?: number
  readonly learningRate: LearningRateSchedule
  /** Decoupled weight decay of parameters with `decay`. Default: 0. */
  readonly weightDecay?: number
  /** Decay of the two moments. Default: 0.9 and 0.999. */
  readonly betas?: readonly [number, number]
  /** Added to the root of the second moment. Default: 1e-8. */
  readonly eps?: number
  /** Largest norm of all gradients together; longer ones are scaled down. Without it nothing is clipped. */
  readonly clipNorm?: number
  /** Steps between checkpoints; one is written at the end as well, and when the run is aborted. */
  readonly checkpointEvery: number
  /** What data and first parameters were drawn with. The loop itself draws nothing: it records the seed and compares it. */
  readonly seed: number
}

/** Which parameters are the best of a run. */
export interface BestRule {
  readonly term: string
  readonly direction: 'min' | 'max'
}

/** Losses on data that is not trained on, before the first step, every `every` steps and after the last. */
export interface ValidationOptions {
  /** Stands at its first batch; every validation reads the same batches. */
  readonly data: DataSource
  readonly every: number
  readonly batches: number
  /** Default: the smallest `loss`. */
  readonly best?: BestRule
}

/** Options with their defaults. */
export interface TrainSettings {
  readonly steps: number
  readonly accumulation: number
  readonly learningRate: Required<LearningRateSchedule>
  readonly weightDecay: number
  readonly beta1: number
  readonly beta2: number
  readonly eps: number
  /** null: no clipping. */
  readonly clipNorm: number | null
  readonly seed: number
}

/** @throws TrimError `TRIMKV_OPTION` naming the option that is out of range */
export function resolveTrainOptions(options: TrainOptions): TrainSettings {
  const { steps, accumulation = 1, weightDecay = 0, eps = 1e-8, clipNorm, checkpointEvery, seed } = options
  const [beta1, beta2] = options.betas ?? [0.9, 0.999]
  const { peak, warmupSteps = 0, decay } = options.learningRate
  whole('steps', steps, 1)
  whole('accumulation', accumulation, 1)
  whole('checkpointEvery', checkpointEvery, 1)
  whole('learningRate.warmupSteps', warmupSteps, 0)
  whole('seed', seed, 0)
  inRange('learningRate.peak', peak, peak >= 0)
  if (decay.kind === 'cosine') {
    inRange('learningRate.decay.floor', decay.floor, decay.floor >= 0 && decay.floor <= peak)
  }
  if (warmupSteps > steps) wrong('learningRate.warmupSteps', warmupSteps, `at most the ${steps} steps`)
  inRange('weightDecay', weightDecay, weightDecay >= 0)
  inRange('betas[0]', beta1, beta1 >= 0 && beta1 < 1)
  inRange('betas[1]', beta2, beta2 >= 0 && beta2 < 1)
  inRange('eps', eps, eps > 0)
  if (clipNorm !== undefined) inRange('clipNorm', clipNorm, clipNorm > 0)
  const learningRate = { peak, warmupSteps, decay }
  return {
    steps,
    accumulation,
    learningRate,
    weightDecay,
    beta1,
    beta2,
    eps,
    clipNorm: clipNorm ?? null,
    seed,
  }
}

/** @throws TrimError `TRIMKV_OPTION` */
export function checkValidationOptions({ every, batches }: ValidationOptions): void {
  whole('validation.every', every, 1)
  whole('validation.batches', batches, 1)
}

function whole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) wrong(name, value, `an integer of at least ${least}`)
}

function inRange(name: string, value: number, isInside: boolean): void {
  if (!Number.isFinite(value) || !isInside)
    wrong(name, value, ranges[name.replace(/^.*\./, '')] ?? 'a number')
}

const ranges: Readonly<Record<string, string>> = {
  peak: 'a number of at least 0',
  floor: 'a number from 0 to the peak',
  weightDecay: 'a number of at least 0',
  'betas[0]': 'a number from 0 to below 1',
  'betas[1]': 'a number from 0 to below 1',
  eps: 'a number above 0',
  clipNorm: 'a number above 0',
}

const wrong = (name: string, value: number, expected: string): never =>
  fail('TRIMKV_OPTION', `[train] ${name} must be ${expected}, got ${value}`)
