import type { Device } from './device.ts'
import { elementCount } from './dtype.ts'
import { scope } from './scope.ts'
import type { Tensor } from './tensor.ts'

/** What a machine gives at most, to this process, now. */
export interface Ceilings {
  /** f32 operations per second; a fused multiply-add is two. */
  readonly flops: number
  /** Bytes per second read from memory. */
  readonly bandwidth: number
}

/** More than caches hold. */
const readShape = [256, 2 ** 18]
/** Enough elements for all chains of all threads on every instruction set. */
const chainsPerThread = 12 * 16 * 4
const rounds = 500_000
/** Calls of which the best one counts: threads sleep before the first, and clock rates rise with work. */
const calls = 6

/**
 * Measures the ceilings of a device again and again, in turns with what is compared to them: clock rates and neighbours
 * change while one looks.
 */
export class CeilingProbe implements Disposable {
  readonly #device: Device
  readonly #rows: Tensor
  readonly #chains: Tensor

  constructor(device: Device) {
    this.#device = device
    this.#rows = device.zeros({ dtype: 'f32', shape: readShape })
    this.#chains = device.zeros({ dtype: 'f32', shape: [chainsPerThread * device.threads] })
  }

  /** One measurement, less than a tenth of a second on all threads. */
  measure(): Ceilings {
    const { ops } = this.#device
    const x = this.#chains
    const flops = 2 * rounds * elementCount(x.shape)
    // The largest element of rows of zeros comes first and is found at once: what is left is reading.
    const bytes = 4 * elementCount(readShape)
    return {
      flops: flops / shortest(() => ops.fmaChain({ x }, { factor: 0.5, term: 1, rounds })),
      bandwidth: bytes / shortest(() => ops.argmax({ x: this.#rows })),
    }
  }

  [Symbol.dispose](): void {
    this.#rows[Symbol.dispose]()
    this.#chains[Symbol.dispose]()
  }
}

/** Seconds of the shortest call: what slows one down is no ceiling. */
function shortest(call: () => unknown): number {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < calls; i++) {
    scope(() => {
      const start = performance.now()
      call()
      least = Math.min(least, (performance.now() - start) / 1000)
    })
  }
  return least
}

/**
 * Ceilings of a device: arithmetic in registers, and reading memory that no cache holds.
 * @returns a probe to be disposed; it holds 256 MiB
 * @see Williams et al. 2009 (doi:10.1145/1498765.1498785), roofline model
 */
export const createCeilingProbe = (device: Device): CeilingProbe => new CeilingProbe(device)
