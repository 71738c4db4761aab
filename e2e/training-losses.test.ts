import { createDevice } from '@trimkv/tensor'
import { closeness } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { goldenJson, goldenTensors } from './golden.ts'

type Losses = Readonly<Record<'kl' | 'ntp' | 'capacity' | 'global_capacity', number>>
const golden: { readonly memory_size: number; readonly cases: Readonly<Record<string, Losses>> } = goldenJson(
  'training',
  'golden.json',
)
const [layers, batch, heads, length, width] = [3, 2, 2, 48, 300]

const device = createDevice({ threads: 2 })
afterAll(() => device[Symbol.dispose]())

/** [L, B, H, T] as [B, T, L·H]: the heads of all layers side by side. */
function sideBySide(recorded: Float32Array): Float32Array {
  const out = new Float32Array(recorded.length)
  let from = 0
  for (let l = 0; l < layers; l++) {
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        for (let t = 0; t < length; t++) {
          out[((b * length + t) * layers + l) * heads + h] = recorded[from++]!
        }
      }
    }
  }
  return out
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
const distance = (actual: number, recorded: number): number => Math.abs(actual / recorded - 1)

describe.each(Object.entries(golden.cases))('training losses of %s', (kind, recorded) => {
  const recordings = goldenTensors('training', 'golden.safetensors')
  const shape = [batch, length, layers * heads]

  it('has the recorded occupancies and capacity losses', async () => {
    const tensors = await recordings
    const values = sideBySide(await tensors.floats(`${kind}.log_beta`))
    const logBeta = device.tensor(values, { dtype: 'f32', shape })
    const occupancy = device.ops.occupancy({ logBeta })
    const { largest, relative } = closeness(
      occupancy.read(),
      sideBySide(await tensors.floats(`${kind}.occupancy`)),
    )
    expect(relative).toBeLessThan(1e-5)
    expect(largest).toBeLessThan(1e-5 * length)
    for (const [scope, name] of [
      ['head', 'capacity'],
      ['global', 'global_capacity'],
    ] as const) {
      const attrs = { budget: golden.memory_size, scope, form: 'code' } as const
      const [loss] = device.ops.capacity({ occupancy }, attrs).loss.read()
      expect(distance(loss!, recorded[name]), scope).toBeLessThan(1e-4)
    }
  })

  it('has the recorded distance to the teacher and next-token loss', async () => {
    const tensors = await recordings
    const spec = { dtype: 'f32', shape: [batch * length, width] } as const
    const logits = device.tensor(await tensors.floats(`${kind}.logits`), spec)
    const teacher = device.tensor(await tensors.floats('teacher_logits'), spec)
    const labels = await tensors.ids('labels')
    // The last position of a row has no next token.
    const next = labels.map((_, n) => ((n + 1) % length === 0 ? -100 : labels[n + 1]!))
    const targets = device.tensor(next, { dtype: 'i32', shape: [batch * length] })
    const { kl, ce } = device.ops.lmLoss({ logits, teacher, targets }, { kl: 'forward' })
    const where = (values: ArrayLike<number>, mask: readonly number[]) =>
      Array.from(values).filter((_, n) => mask[n] !== -100)
    expect(distance(mean(where(kl.read(), labels)), recorded.kl)).toBeLessThan(1e-4)
    expect(distance(mean(where(ce.read(), next)), recorded.ntp)).toBeLessThan(1e-4)
  })
})
