import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { createDevice, type Device } from '../../device.ts'
import type { DType } from '../../dtype.ts'
import { supportedIsas } from '../../native-device.ts'
import { scope } from '../../scope.ts'
import type { Tensor } from '../../tensor.ts'

const tokens = 300
const cap = 320
const H = 2

const devices = supportedIsas().map((isa) => createDevice({ threads: 3, isa }))
afterAll(() => {
  for (const device of devices) device[Symbol.dispose]()
})

interface Sizes {
  readonly D: number
  readonly G: number
  readonly dtype: DType
  readonly mass?: boolean
}

const bits = (tensor: Tensor): Buffer => {
  const values = tensor.read()
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength)
}

function normals(count: number, seed: number): Float32Array {
  const random = seededRandom(seed)
  return Float32Array.from({ length: count }, () => random.normal())
}

/** Attention of `tokens` tokens, fed in chunks as a cache does it: outputs of all tokens, then the accumulated mass. */
function attend(device: Device, { D, G, dtype, mass }: Sizes, chunk: number): Buffer {
  return scope(() => {
    const rows = { dtype, shape: [1, H, cap, D] }
    const keys = device.tensor(normals(H * cap * D, 1), rows)
    const values = device.tensor(normals(H * cap * D, 2), rows)
    const q = device.tensor(normals(tokens * H * G * D, 3), { dtype: 'f32', shape: [1, tokens, H * G, D] })
    const sums = device.zeros({ dtype: 'f32', shape: [1, H, cap] })
    const outputs: Buffer[] = []
    for (let start = 0; start < tokens; start += chunk) {
      const length = Math.min(chunk, tokens - start)
      const count = device.tensor(new Array(H).fill(start + length), { dtype: 'i32', shape: [1, H] })
      const part = device.ops.slice(q, { axis: 1, start, length })
      const inputs = { q: part, keys, values, count, ...(mass ? { mass: sums } : {}) }
      outputs.push(bits(device.ops.attention(inputs, { scale: 1 / Math.sqrt(D) })))
    }
    return Buffer.concat([...outputs, bits(sums)])
  })
}

const grid: readonly Sizes[] = (['f32', 'bf16', 'f16'] as const).flatMap((dtype) => [
  ...[16, 32, 80, 96, 128, 256].map((D) => ({ D, G: 2, dtype })),
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((G) => ({ D: 64, G, dtype })),
  { D: 33, G: 3, dtype, mass: true },
])

describe('attention gives the same bits', () => {
  it.each(grid)('for any chunking of the prompt, D $D, G $G, $dtype', (sizes) => {
    for (const device of devices) {
      const whole = attend(device, sizes, tokens)
      for (const chunk of [1, 7, 64, 128]) {
        expect(attend(device, sizes, chunk).equals(whole), `chunks of ${chunk} on ${device.isa}`).toBe(true)
      }
    }
  })

  it('for any number of threads', () => {
    const sizes: Sizes = { D: 64, G: 2, dtype: 'bf16', mass: true }
    for (const chunk of [1, tokens]) {
      const results = [1, 2, 3, 7].map((threads) => {
        using device = createDevice({ threads })
        return attend(device, sizes, chunk)
      })
      for (const result of results) expect(result.equals(results[0]!)).toBe(true)
    }
  })

  it.each([1, 40])('for a sequence alone and in a batch, %i new tokens', (C) => {
    const [D, G, B] = [32, 3, 3]
    const counts = [317, 64, 129]
    const q = normals(B * C * H * G * D, 4)
    const stored = [normals(B * H * cap * D, 5), normals(B * H * cap * D, 6)] as const
    const run = (device: Device, first: number, size: number): Buffer => {
      const part = (values: Float32Array) =>
        values.subarray((values.length / B) * first, (values.length / B) * (first + size))
      const rows = { dtype: 'bf16', shape: [size, H, cap, D] } as const
      const perHead = counts.slice(first, first + size).flatMap((n) => [n, n - 3])
      const inputs = {
        q: device.tensor(part(q), { dtype: 'f32', shape: [size, C, H * G, D] }),
        keys: device.tensor(part(stored[0]), rows),
        values: device.tensor(part(stored[1]), rows),
        count: device.tensor(perHead, { dtype: 'i32', shape: [size, H] }),
      }
      return bits(device.ops.attention(inputs, { scale: 0.2 }))
    }
    for (const device of devices) {
      const alone = scope(() => Buffer.concat([0, 1, 2].map((b) => run(device, b, 1))))
      expect(scope(() => run(device, 0, B)).equals(alone), device.isa).toBe(true)
    }
  })
})

describe('attention with a column that is the mass itself', () => {
  it('searches the victim in the updated mass', () => {
    for (const device of devices) {
      using keys = device.tensor([0, 9, 0, 0], { dtype: 'f32', shape: [1, 1, 4, 1] })
      using q = device.tensor([1], { dtype: 'f32', shape: [1, 1, 1, 1] })
      using mass = device.tensor([0.5, 0.25, 0.75, 0], { dtype: 'f32', shape: [1, 1, 4] })
      using slotIndex = device.tensor([0, 1, 2, 3], { dtype: 'i32', shape: [1, 1, 4] })
      using count = device.tensor([3], { dtype: 'i32', shape: [1, 1] })
      using seen = device.tensor([3], { dtype: 'i32', shape: [1] })
      using victim = device.tensor([-1], { dtype: 'i32', shape: [1, 1] })
      const rule = { score: { kind: 'column' }, budget: 2, first: 0, last: 0 } as const
      const inputs = { q, keys, values: keys, count, slotIndex, seen, mass, victim }
      // Slot 1 had the least mass and takes nearly all of this query's.
      using first = device.ops.attention(inputs, { scale: 1, victim: rule })
      expect([...first.shape, ...victim.read()]).toEqual([1, 1, 1, 1, 0])
      using second = device.ops.attention({ ...inputs, columnA: mass }, { scale: 1, victim: rule })
      expect([...second.shape, ...victim.read()]).toEqual([1, 1, 1, 1, 0])
    }
  })
})
