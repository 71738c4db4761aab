import { fail } from '@trimkv/tensor'
import type { Model } from '../load-model.ts'
import type { DoneEvent } from './events.ts'
import type { GenerateOptions } from './generate-options.ts'
import type { Prompt } from './prompt.ts'
import { createSeats, decodeAll, doneEvent, type Events, openSession, readPrompt } from './seats.ts'

export interface SamplesOptions extends GenerateOptions {
  /** How many answers, ≥ 1. Sample i draws with the seed + i. */
  readonly samples: number
}

function checkSamples({ samples, temperature = 0 }: SamplesOptions): void {
  if (!Number.isSafeInteger(samples) || samples < 1) {
    fail('TRIMKV_OPTION', `samples must be an integer ≥ 1, got ${samples}`, {
      details: { option: 'samples', value: samples },
    })
  }
  if (samples === 1 || temperature > 0) return
  fail('TRIMKV_OPTION', `${samples} samples would all be the same at temperature 0`, {
    hint: 'set a temperature, for example 0.7',
    details: { option: 'temperature' },
  })
}

/** The seed of a sample; seeds are numbers of 32 bits. */
const seedOf = ({ seed = 0 }: GenerateOptions, sample: number): number => (seed + sample) % 2 ** 32

/**
 * Several answers to one prompt, which is read once and copied; tokens are decoded together. Sample i is what `generate` gives
 * with seed + i. The first sample counts the prompt as read, the others as reused. Log-probabilities are always reported.
 * @throws TRIMKV_OPTION for samples that would all be the same; as `generateBatch`
 */
export async function* generateSamples(model: Model, prompt: Prompt, options: SamplesOptions): Events {
  checkSamples(options)
  options.signal?.throwIfAborted()
  const given = { logProbs: 0, ...options }
  const asked = Array.from({ length: options.samples }, (_, sample) => ({
    prompt,
    sampling: { ...options, seed: seedOf(options, sample) },
  }))
  const seats = await createSeats(model, asked, given)
  const [seat, ...copies] = seats
  using session = await openSession(model, seats, given)
  yield* readPrompt(session, { seat: seat!, copies }, given)
  for (const each of seats)
    if (each.answer.reason) yield { index: each.index, ...doneEvent(session, each, given) }
  yield* decodeAll(session, seats, given)
}

/** One answer among several. */
export interface Sample extends Omit<DoneEvent, 'type'> {
  /** Which sample, from 0. */
  readonly index: number
  readonly seed: number
  /** Mean log-probability of its tokens under the model: what samples are compared by. */
  readonly meanLogProb: number
}

/** All answers, in order, and the one whose tokens are the most likely on average, the first of several. */
export interface BestOf {
  readonly best: Sample
  readonly samples: readonly Sample[]
}

/**
 * The most likely of several answers to one prompt, by mean log-probability of its tokens.
 * @throws as {@link generateSamples}
 */
export async function bestOf(model: Model, prompt: Prompt, options: SamplesOptions): Promise<BestOf> {
  const samples: Sample[] = []
  for await (const event of generateSamples(model, prompt, options)) {
    if (event.type !== 'done') continue
    const { type: _type, index, meanLogProb = Number.NEGATIVE_INFINITY, ...done } = event
    samples[index] = { ...done, index, meanLogProb, seed: seedOf(options, index) }
  }
  const best = samples.reduce((a, b) => (b.meanLogProb > a.meanLogProb ? b : a))
  return { best, samples }
}
