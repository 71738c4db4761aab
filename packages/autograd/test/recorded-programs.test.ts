import { createDevice, type Ops, scope, type Tensor } from '@trimkv/tensor'
import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { createTape, type Tape } from '../src/index.ts'

const [layers, batch, length, heads, size, inner] = [8, 2, 192, 4, 16, 160] as const
const [rows, width] = [batch * length, heads * size]

const device = createDevice({ threads: 2 })
afterAll(() => device[Symbol.dispose]())

const source = seededRandom(1)
const random = (scale: number, ...shape: number[]): Tensor =>
  device.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * source.normal()),
    { dtype: 'f32', shape },
  )

const layerWeights = () => ({
  norm: random(1, width),
  query: random(0.1, width, width),
  key: random(0.1, width, width),
  value: random(0.1, width, width),
  output: random(0.1, width, width),
  gate: random(0.1, inner, width),
  up: random(0.1, inner, width),
  down: random(0.1, width, inner),
})
type LayerWeights = ReturnType<typeof layerWeights>

const weights = Array.from({ length: layers }, layerWeights)
const wrt = weights.flatMap((layer) => Object.values(layer))
const input = random(1, rows, width)
const direction = random(1, rows, width)

function layer(ops: Ops<Tensor>, residual: Tensor, weights: LayerWeights): Tensor {
  const x = ops.rmsNorm({ x: residual, weight: weights.norm }, { eps: 1e-6 })
  const projected = (weight: Tensor) => ops.reshape(ops.linear({ x, weight }), [batch, length, heads, size])
  const [q, k, v] = [weights.query, weights.key, weights.value].map(projected) as [Tensor, Tensor, Tensor]
  const { out } = ops.gatedAttention({ q, k, v }, { scale: 0.25 })
  const merged = ops.reshape(out, [rows, width])
  const attended = ops.linear({ x: merged, weight: weights.output, residual })
  const gate = ops.linear({ x: attended, weight: weights.gate })
  const up = ops.linear({ x: attended, weight: weights.up })
  return ops.linear({ x: ops.swiglu({ gate, up }), weight: weights.down, residual: attended })
}

function gradientsOf(tape: Tape<Tensor>): Tensor[] {
  let hidden = input
  for (const one of weights) {
    tape.segment()
    hidden = layer(tape.ops, hidden, one)
  }
  return tape.backward([{ tensor: hidden, grad: direction }]) as Tensor[]
}

function recorded(recompute: boolean): { readonly bytes: number; readonly gradients: Float32Array[] } {
  using program = device.record((ops) => gradientsOf(createTape(ops, { wrt, recompute })))
  program.runSync()
  return { bytes: program.bytes, gradients: program.result.map((grad) => grad.read() as Float32Array) }
}

describe('a recorded forward and backward pass of 8 layers', () => {
  const kept = recorded(false)
  const computedAgain = recorded(true)

  it('takes far less memory with recomputation', () => {
    const gradientBytes = wrt.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0)
    const [most, least] = [kept.bytes - gradientBytes, computedAgain.bytes - gradientBytes]
    expect(least).toBeLessThan(most / 3)
  })

  it('gives the same bits with recomputation, and as eager calls', () => {
    expect(computedAgain.gradients).toEqual(kept.gradients)
    const eager = scope(() => gradientsOf(createTape(device.ops, { wrt })).map((grad) => grad.read()))
    expect(eager).toEqual(kept.gradients)
    expect(kept.gradients.every((values) => values.some((x) => x !== 0))).toBe(true)
  })
})
