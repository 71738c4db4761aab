import { fail } from '@trimkv/tensor'
import type { DataSource } from '../data-source.ts'
import type { JsonValue } from '../json-value.ts'
import type { LossTerms, Trainable } from '../trainable.ts'
import type { AdamW } from './adamw.ts'
import { type NamedTensors, type RunState, writeBest, writeCheckpoint } from './checkpoint.ts'
import { checkTerms } from './diverged.ts'
import { learningRateAt } from './learning-rate.ts'
import { meanTerms } from './mean-terms.ts'
import type { MetricsLog, StepMetrics } from './metrics-log.ts'
import type { RunFiles } from './run-files.ts'
import type { RunIdentity } from './run-identity.ts'
import type { TrainEvent } from './train-event.ts'

/** Steps whose mean time tells how long the rest will take. */
const paceSteps = 32

/** What a run works with. */
export interface RunParts {
  readonly trainable: Trainable
  readonly data: DataSource
  /** Reads `validation.batches` batches from `start` on, each time. */
  readonly validationData: { readonly source: DataSource; readonly start: JsonValue } | undefined
  readonly identity: RunIdentity
  readonly checkpointEvery: number
  readonly optimiser: AdamW
  /** Everything that a checkpoint holds. */
  readonly tensors: NamedTensors
  readonly log: MetricsLog
  readonly files: RunFiles
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((event: TrainEvent) => void) | undefined
}

/**
 * A run between two of its steps. What is due is told from the state alone, so that a run which goes on from a
 * checkpoint does what it would have done without the break.
 */
export class TrainingRun {
  readonly #parts: RunParts
  readonly #pace: number[] = []
  #state: RunState
  #saved: RunState

  /** @param state what the folder's checkpoint holds */
  constructor(parts: RunParts, state: RunState) {
    this.#parts = parts
    this.#state = state
    this.#saved = state
  }

  get state(): RunState {
    return this.#state
  }

  /**
   * Trains to the last step.
   * @throws `signal.reason` when aborted, after a checkpoint of the last whole step was written; TrimError
   */
  async finish(): Promise<void> {
    const { signal, identity } = this.#parts
    try {
      for (;;) {
        if (this.#isValidationDue()) await this.#validate()
        if (this.#isCheckpointDue()) await this.#save()
        if (this.#state.step === identity.options.steps) return
        await this.#advance()
      }
    } catch (error) {
      if (signal?.aborted && error === signal.reason && this.#saved !== this.#state) await this.#save()
      throw error
    }
  }

  async #save(): Promise<void> {
    const { log, files, tensors, identity, onProgress } = this.#parts
    const state = this.#state
    await log.sync()
    await writeCheckpoint(files.checkpoint, tensors, { identity, state })
    this.#saved = state
    onProgress?.({ kind: 'checkpoint', step: state.step })
  }

  #isDue(every: number): boolean {
    const { step } = this.#state
    return step % every === 0 || step === this.#parts.identity.options.steps
  }

  #isValidationDue(): boolean {
    const { validation } = this.#parts.identity
    return validation !== null && this.#state.validated !== this.#state.step && this.#isDue(validation.every)
  }

  #isCheckpointDue(): boolean {
    return this.#saved !== this.#state && this.#isDue(this.#parts.checkpointEvery)
  }

  async #advance(): Promise<void> {
    const { data, identity, optimiser, log } = this.#parts
    const { steps, learningRate: schedule } = identity.options
    const begin = performance.now()
    const step = this.#state.step + 1
    const { terms, tokens } = await this.#accumulate(step)
    const learningRate = learningRateAt(step, steps, schedule)
    const gradNorm = await optimiser.step({ step, learningRate })
    this.#state = { ...this.#state, step, data: data.state() }
    const seconds = (performance.now() - begin) / 1000
    const tokensPerSecond = tokens / seconds
    const metrics = { step, terms, learningRate, gradNorm, tokens, tokensPerSecond, seconds }
    await log.append({ kind: 'step', ...metrics })
    this.#report(metrics)
  }

  async #accumulate(step: number): Promise<{ terms: LossTerms; tokens: number }> {
    const { trainable, data, identity, signal } = this.#parts
    const { accumulation } = identity.options
    const all: LossTerms[] = []
    let tokens = 0
    for (let index = 0; index < accumulation; index++) {
      signal?.throwIfAborted()
      const batch = await data.next()
      signal?.throwIfAborted()
      const options = { first: index === 0, scale: 1 / accumulation, ...(signal && { signal }) }
      const terms = await trainable.accumulate(batch, options)
      checkTerms(terms, step, 'the term')
      all.push(terms)
      tokens += batch.batch * batch.length
    }
    signal?.throwIfAborted()
    return { terms: meanTerms(all), tokens }
  }

  #report({
    step,
    terms,
    learningRate,
    gradNorm,
    tokensPerSecond,
    seconds,
  }: Omit<StepMetrics, 'kind'>): void {
    const { steps } = this.#parts.identity.options
    this.#pace.push(seconds)
    if (this.#pace.length > paceSteps) this.#pace.shift()
    const mean = this.#pace.reduce((a, b) => a + b, 0) / this.#pace.length
    const etaSeconds = (steps - step) * mean
    const event = { step, steps, terms, learningRate, gradNorm, tokensPerSecond, etaSeconds }
    this.#parts.onProgress?.({ kind: 'step', ...event })
  }

  async #validate(): Promise<void> {
    const { identity, files, trainable, log, onProgress } = this.#parts
    const { step } = this.#state
    const begin = performance.now()
    const terms = await this.#evaluate()
    const { term, direction } = identity.validation!.best
    const value = terms[term]
    if (value === undefined) return missingTerm(term, terms)
    const last = this.#state.best?.value
    const isBest = last === undefined || (direction === 'min' ? value < last : value > last)
    const best = isBest ? { step, term, value } : this.#state.best
    if (isBest) {
      const weights = new Map(trainable.parameters.map(({ name, tensor }) => [name, tensor]))
      await writeBest(files.best, weights, { step, term, value })
    }
    this.#state = { ...this.#state, validated: step, best }
    const seconds = (performance.now() - begin) / 1000
    await log.append({ kind: 'validation', step, terms, best: isBest, seconds })
    onProgress?.({ kind: 'validation', step, terms, best: isBest })
  }

  async #evaluate(): Promise<LossTerms> {
    const { trainable, validationData, identity, signal } = this.#parts
    const { source, start } = validationData!
    await source.restore(start)
    const all: LossTerms[] = []
    for (let index = 0; index < identity.validation!.batches; index++) {
      signal?.throwIfAborted()
      const batch = await source.next()
      const terms = await trainable.evaluate(batch, signal ? { signal } : {})
      checkTerms(terms, this.#state.step, 'the validation term')
      all.push(terms)
    }
    return meanTerms(all)
  }
}

const missingTerm = (term: string, terms: LossTerms): never =>
  fail('TRIMKV_OPTION', `[train] validation.best.term: there is no loss term ${JSON.stringify(term)}`, {
    why: [`there are ${Object.keys(terms).join(', ')}`],
  })
