import type { Device, Tensor } from '@trimkv/tensor'
import { seededRandom } from '@trimkv/testing'
import type { Batch, DataSource, LossTerms, Trainable } from '../src/index.ts'

/** Inputs and outputs of the linear map that is fitted; enough for a checkpoint of about 100 KiB. */
const inputs = 32
const outputs = 256

/** Batches of `rows` rows, each drawn from the seed and its number alone. */
export function numberedBatches(seed: number, rows = 4): DataSource {
  let next = 0
  return {
    batch: rows,
    maxLength: inputs,
    next: async () => drawBatch(seed * 100_003 + next++, rows),
    state: () => ({ next }),
    restore: async (state) => {
      next = (state as { next: number }).next
    },
    close: async () => {},
  }
}

function drawBatch(seed: number, rows: number): Batch {
  const random = seededRandom(seed)
  const ids = Int32Array.from({ length: rows * inputs }, () => random.int(0, 99))
  const positions = ids.map((_, index) => index % inputs)
  const weights = new Float32Array(ids.length).fill(1)
  return {
    batch: rows,
    length: inputs,
    ids,
    positions,
    starts: new Int32Array(ids.length),
    labels: ids,
    weights,
  }
}

/** What the map should be. */
const wanted = (output: number, input: number): number => Math.sin(output * 7 + input * 3)

/** Fits y = W·x + b to a fixed linear map by least squares, x being the ids of a row. Computed in JavaScript. */
export function lineFit(device: Device): Trainable {
  const make = (shape: readonly number[]): Tensor => device.zeros({ dtype: 'f32', shape })
  const weight = {
    name: 'weight',
    tensor: make([outputs, inputs]),
    gradient: make([outputs, inputs]),
    decay: true,
  }
  const bias = { name: 'bias', tensor: make([outputs]), gradient: make([outputs]), decay: false }
  const parameters = [weight, bias]
  return {
    parameters,
    accumulate: async (batch, { first, scale, signal }) => {
      signal?.throwIfAborted()
      const { loss, gradients } = squares(batch, weight.tensor.read(), bias.tensor.read())
      for (const [index, { gradient }] of parameters.entries()) {
        const before = gradient.read()
        gradient.write(gradients[index]!.map((value, i) => (first ? 0 : before[i]!) + scale * value))
      }
      return terms(loss)
    },
    evaluate: async (batch, { signal }) => {
      signal?.throwIfAborted()
      return terms(squares(batch, weight.tensor.read(), bias.tensor.read()).loss)
    },
    [Symbol.dispose]: () => {
      for (const { tensor, gradient } of parameters) {
        tensor[Symbol.dispose]()
        gradient[Symbol.dispose]()
      }
    },
  }
}

const terms = (loss: number): LossTerms => ({ loss, fit: -loss })

function squares(
  { batch, ids }: Batch,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
): { loss: number; gradients: readonly [Float32Array, Float32Array] } {
  const gradients = [new Float32Array(outputs * inputs), new Float32Array(outputs)] as const
  let loss = 0
  for (let row = 0; row < batch; row++) {
    const x = Array.from(ids.subarray(row * inputs, (row + 1) * inputs), (id) => id / 50 - 1)
    for (let output = 0; output < outputs; output++) {
      let error = bias[output]!
      for (let input = 0; input < inputs; input++) {
        error += (weight[output * inputs + input]! - wanted(output, input)) * x[input]!
      }
      loss += (error * error) / (batch * outputs)
      const slope = (2 * error) / (batch * outputs)
      for (let input = 0; input < inputs; input++) gradients[0][output * inputs + input]! += slope * x[input]!
      gradients[1][output]! += slope
    }
  }
  return { loss, gradients }
}
