import type { Device, Ops, Program, Tensor } from '@trimkv/tensor'
import type { Parameter } from '../trainable.ts'
import { diverged } from './diverged.ts'
import type { TrainSettings } from './train-options.ts'

/** The two running means that AdamW keeps of a gradient. */
export interface Moments {
  readonly first: Tensor
  readonly second: Tensor
}

/** One update. */
interface Update {
  /** From 1: moments start at zero, which the first steps are corrected for. */
  readonly step: number
  readonly learningRate: number
}

/** What AdamW needs of a run's settings. */
type AdamWSettings = Pick<TrainSettings, 'beta1' | 'beta2' | 'eps' | 'weightDecay' | 'clipNorm'>

/** What clipping adds to the norm, as PyTorch's `clip_grad_norm_` does. */
const clipEps = 1e-6

/**
 * AdamW over all parameters: one recorded program, in which the norm of all gradients is computed and clipped between
 * the sums and the updates.
 * @see Loshchilov & Hutter 2019 (arXiv:1711.05101), algorithm 2; torch.optim.AdamW
 */
export class AdamW implements Disposable {
  /** One entry per parameter, in their order; all zero at first. */
  readonly moments: readonly Moments[]
  readonly #parameters: readonly Parameter[]
  readonly #settings: AdamWSettings
  /** Learning rate, gradient scale, and the corrections of the two moments. */
  readonly #control: Tensor
  readonly #program: Program<void>
  #update: Update = { step: 0, learningRate: 0 }
  #gradNorm = 0

  constructor(device: Device, parameters: readonly Parameter[], settings: AdamWSettings) {
    this.#parameters = parameters
    this.#settings = settings
    const zeros = (shape: readonly number[]): Tensor => device.zeros({ dtype: 'f32', shape })
    this.moments = parameters.map(({ tensor: { shape } }) => ({ first: zeros(shape), second: zeros(shape) }))
    this.#control = zeros([4])
    this.#program = device.record((ops) => this.#record(ops))
  }

  /**
   * Updates all parameters by their gradients.
   * @returns the norm of all gradients together, before clipping
   * @throws TrimError `TRIMKV_DIVERGED` when a gradient or a parameter is not finite; nothing was changed then
   */
  async step(update: Update): Promise<number> {
    this.#update = update
    // Without a signal: an update is done as a whole or not at all.
    await this.#program.run()
    return this.#gradNorm
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]()
    this.#control[Symbol.dispose]()
    for (const { first, second } of this.moments) {
      first[Symbol.dispose]()
      second[Symbol.dispose]()
    }
  }

  #record(ops: Ops<Tensor>): void {
    const gradients = this.#parameters.map(({ gradient }) => ops.sumSquares({ x: gradient }))
    const weights = this.#parameters.map(({ tensor }) => ops.sumSquares({ x: tensor }))
    ops.call(() => this.#prepare(gradients, weights), [...gradients, ...weights])
    const { beta1, beta2, eps, weightDecay } = this.#settings
    for (const [index, { tensor, gradient, decay }] of this.#parameters.entries()) {
      const { first, second } = this.moments[index]!
      ops.adamw(
        { param: tensor, m: first, v: second, grad: gradient, control: this.#control },
        { beta1, beta2, eps, weightDecay: decay ? weightDecay : 0 },
      )
    }
  }

  /** Runs in the middle of the program: throwing leaves the parameters as they are. */
  #prepare(gradients: readonly Tensor[], weights: readonly Tensor[]): void {
    const { step, learningRate } = this.#update
    const { beta1, beta2, clipNorm } = this.#settings
    let sum = 0
    for (const [index, { name }] of this.#parameters.entries()) {
      const square = gradients[index]!.read()[0]!
      if (!Number.isFinite(square)) diverged({ step, what: `the gradient of ${name}`, name })
      if (!Number.isFinite(weights[index]!.read()[0]!)) diverged({ step, what: `the weight ${name}`, name })
      sum += square
    }
    this.#gradNorm = Math.sqrt(sum)
    const scale = clipNorm === null ? 1 : Math.min(1, clipNorm / (this.#gradNorm + clipEps))
    this.#control.write([learningRate, scale, 1 - beta1 ** step, 1 - beta2 ** step])
  }
}
