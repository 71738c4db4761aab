import type { Device, Tensor } from '@trimkv/tensor'
import type { Batch } from '../batch.ts'

/** What a recorded step reads of its batch: filled before each run. */
export interface StepTensors extends Disposable {
  /** [N] i32 */
  readonly ids: Tensor
  /** [N] i32 */
  readonly positions: Tensor
  /** [B, T] i32 */
  readonly starts: Tensor
  /** [N] i32 */
  readonly targets: Tensor
  /** [N] f32 */
  readonly klGradient: Tensor
  /** [N] f32 */
  readonly ntpGradient: Tensor
  /** [1] f32, the factor of the capacity term */
  readonly capacityGradient: Tensor
  /** [rotaryDim / 2] rows of one table for all rows */
  readonly invFreq: Tensor
}

/** Shape of a batch: what a step is recorded for. */
export type BatchShape = Pick<Batch, 'batch' | 'length'>

export function stepTensors(
  device: Device,
  { batch, length }: BatchShape,
  invFreq: Float32Array,
): StepTensors {
  const rows = batch * length
  const integers = (...shape: number[]): Tensor => device.zeros({ dtype: 'i32', shape })
  const floats = (...shape: number[]): Tensor => device.zeros({ dtype: 'f32', shape })
  const tensors = {
    ids: integers(rows),
    positions: integers(rows),
    starts: integers(batch, length),
    targets: integers(rows),
    klGradient: floats(rows),
    ntpGradient: floats(rows),
    capacityGradient: floats(1),
    invFreq: device.tensor(invFreq, { dtype: 'f32', shape: [1, invFreq.length] }),
  }
  return {
    ...tensors,
    [Symbol.dispose]() {
      for (const tensor of Object.values(tensors)) tensor[Symbol.dispose]()
    },
  }
}
