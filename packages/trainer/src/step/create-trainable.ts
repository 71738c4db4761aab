import { type Decoder, ropeParameters } from '@trimkv/models'
import { type Device, fail, type Program, type Tensor } from '@trimkv/tensor'
import type { Batch } from '../batch.ts'
import type { LossTerms, Parameter, Trainable } from '../trainable.ts'
import { lossTerms } from './loss-terms.ts'
import { baseFactor, type Losses } from './losses.ts'
import { rowGradients, rowWeights } from './row-weights.ts'
import { type BatchShape, type StepTensors, stepTensors } from './step-tensors.ts'
import { type TrainingTerms, trainingGradients, trainingTerms } from './training-forward.ts'

/** A weight that learns: f32, of its own. */
export interface LearnedWeight {
  readonly name: string
  readonly tensor: Tensor
}

/** A model, and which of its weights learn. */
export interface CreateTrainableOptions {
  readonly device: Device
  /** With gates, attention is gated in training. */
  readonly decoder: Decoder<Tensor>
  /** Which of the decoder's tensors learn; the rest is frozen. */
  readonly learned: readonly LearnedWeight[]
  readonly losses: Losses
  /** Activations of a layer are made again in the backward instead of kept. Default: no. */
  readonly recompute?: boolean
  /** Rows whose logits are held at a time. Default 512. */
  readonly chunkRows?: number
}

interface Step<R> extends Disposable {
  readonly inputs: StepTensors
  readonly program: Program<R>
}

/** Recorded steps by kind and batch shape; few shapes are in use at a time. */
const keptSteps = 4

/**
 * Makes a decoder learn: gates on frozen weights, weights alone, or both together. Steps are recorded once per batch shape.
 * Biases, norms and other vectors are exempt from weight decay, as in the released recipes.
 * @throws TRIMKV_OPTION when the losses do not fit the decoder
 */
export function createTrainable(options: CreateTrainableOptions): Trainable {
  return new DecoderTrainable(options)
}

class DecoderTrainable implements Trainable {
  readonly parameters: readonly Parameter[]
  readonly #options: CreateTrainableOptions
  readonly #steps = new Map<string, Step<unknown>>()

  constructor(options: CreateTrainableOptions) {
    checkLosses(options)
    this.#options = options
    this.parameters = options.learned.map(({ name, tensor }) => ({
      name,
      tensor,
      gradient: options.device.zeros({ dtype: 'f32', shape: tensor.shape }),
      decay: tensor.shape.length > 1,
    }))
  }

  async accumulate(
    batch: Batch,
    { first, scale, signal }: { first: boolean; scale: number; signal?: AbortSignal },
  ): Promise<LossTerms> {
    const keep = first ? 0 : 1
    const step = this.#step(`gradients ${keep} ${scale}`, batch, (inputs) =>
      this.#recordGradients(inputs, batch, { keep, scale }),
    )
    return this.#run(step, batch, signal)
  }

  async evaluate(batch: Batch, { signal }: { signal?: AbortSignal } = {}): Promise<LossTerms> {
    const step = this.#step('terms', batch, (inputs) => this.#recordTerms(inputs, batch))
    return this.#run(step, batch, signal)
  }

  [Symbol.dispose](): void {
    for (const step of this.#steps.values()) step[Symbol.dispose]()
    this.#steps.clear()
    for (const { gradient } of this.parameters) gradient[Symbol.dispose]()
  }

  #recordGradients(inputs: StepTensors, shape: BatchShape, { keep, scale }: { keep: number; scale: number }) {
    const { device, decoder, losses, recompute = false, chunkRows = 512 } = this.#options
    return device.record((ops) => {
      const { terms, gradients } = trainingGradients(ops, decoder, {
        ...this.#forwardInputs(inputs, shape),
        ...inputs,
        losses,
        chunkRows,
        recompute,
        wrt: this.parameters.map(({ tensor }) => tensor),
      })
      for (const [index, gradient] of gradients.entries()) {
        const { gradient: into, name } = this.parameters[index]!
        if (!gradient)
          fail('TRIMKV_OPTION', `no gradient reaches ${name}`, { hint: 'choose a loss that depends on it' })
        ops.accumulate({ into, x: gradient }, { keep, scale })
      }
      return terms
    })
  }

  #recordTerms(inputs: StepTensors, shape: BatchShape) {
    const { device, decoder, losses, chunkRows = 512 } = this.#options
    return device.record((ops) =>
      trainingTerms(ops, decoder, {
        ...this.#forwardInputs(inputs, shape),
        ...inputs,
        losses,
        chunkRows,
      }),
    )
  }

  #forwardInputs({ ids, positions, invFreq }: StepTensors, { batch, length }: BatchShape) {
    const { scale } = ropeParameters(this.#options.decoder.spec.rope, length)
    return { inputs: { ids, positions, batch, invFreq, ropeScale: scale } }
  }

  /** The recorded step for a batch's shape; the least recently used one makes room. */
  #step<R>(
    kind: string,
    { batch, length }: BatchShape,
    record: (inputs: StepTensors) => Program<R>,
  ): Step<R> {
    const key = `${kind} ${batch}×${length}`
    const known = this.#steps.get(key) as Step<R> | undefined
    const step = known ?? this.#newStep({ batch, length }, record)
    this.#steps.delete(key)
    this.#steps.set(key, step)
    if (this.#steps.size > keptSteps) {
      const [oldest, unused] = this.#steps.entries().next().value!
      this.#steps.delete(oldest)
      unused[Symbol.dispose]()
    }
    return step
  }

  #newStep<R>(shape: BatchShape, record: (inputs: StepTensors) => Program<R>): Step<R> {
    const { device, decoder } = this.#options
    const inputs = stepTensors(device, shape, ropeParameters(decoder.spec.rope, shape.length).invFreq)
    try {
      const program = record(inputs)
      return {
        inputs,
        program,
        [Symbol.dispose]() {
          program[Symbol.dispose]()
          inputs[Symbol.dispose]()
        },
      }
    } catch (error) {
      inputs[Symbol.dispose]()
      throw error
    }
  }

  async #run(
    { inputs, program }: Step<TrainingTerms<Tensor> & { readonly said?: readonly Tensor[] }>,
    batch: Batch,
    signal: AbortSignal | undefined,
  ): Promise<LossTerms> {
    const { losses } = this.#options
    const rows = rowWeights(batch, losses)
    const gradients = rowGradients(rows, losses)
    inputs.ids.write(batch.ids)
    inputs.positions.write(batch.positions)
    inputs.starts.write(batch.starts)
    inputs.targets.write(rows.targets)
    inputs.klGradient.write(gradients.kl)
    inputs.ntpGradient.write(gradients.ntp)
    inputs.capacityGradient.write([losses.capacity?.weight ?? 0])
    await program.run(signal ? { signal } : {})
    return lossTerms(program.result, { batch, rows, losses })
  }
}

function checkLosses({ decoder, learned, losses }: CreateTrainableOptions): void {
  baseFactor(losses)
  if (learned.length === 0) fail('TRIMKV_OPTION', 'nothing learns', { hint: 'name gates, weights or both' })
  if (decoder.gates) return
  if (losses.kl || losses.capacity) {
    fail('TRIMKV_OPTION', 'the kl and capacity terms are about gates, and the model has none', {
      hint: 'give the decoder gates, or minimise ntp alone',
    })
  }
}
