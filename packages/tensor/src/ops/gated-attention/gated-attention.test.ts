import { closeness, seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { createDevice, type Device } from '../../device.ts'
import { supportedIsas } from '../../native-device.ts'
import { type RefTensor, referenceOps, refTensor } from '../../reference-backend.ts'
import { scope } from '../../scope.ts'

const B = 1
const H = 2
const G = 2
const D = 32
const attrs = { scale: 1 / Math.sqrt(D) }

const devices = supportedIsas().map((isa) => createDevice({ threads: 3, isa }))
afterAll(() => {
  for (const device of devices) device[Symbol.dispose]()
})

const shapes = (T: number) => ({
  q: [B, T, H * G, D],
  k: [B, T, H, D],
  v: [B, T, H, D],
  dout: [B, T, H * G, D],
  logBeta: [B, T, H],
})
type Name = keyof ReturnType<typeof shapes>
type Values = Record<Name, Float32Array>
type Results = Record<'out' | 'lse' | 'dq' | 'dk' | 'dv' | 'dLogBeta', Float32Array>

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

function draw(T: number, logBeta: (i: number) => number): Values {
  const random = seededRandom(T)
  const normals = (shape: readonly number[]) =>
    Float32Array.from({ length: size(shape) }, () => random.normal())
  const { q, k, v, dout, logBeta: gate } = shapes(T)
  return {
    q: normals(q),
    k: normals(k),
    v: normals(v),
    dout: normals(dout),
    logBeta: Float32Array.from({ length: size(gate) }, (_, i) => logBeta(i)),
  }
}

/** Outputs of both ops on a device. */
function run(device: Device, values: Values, start?: readonly number[]): Results {
  return scope(() => {
    const T = values.logBeta.length / H
    const shape = shapes(T)
    const tensor = (name: Name) => device.tensor(values[name], { dtype: 'f32', shape: shape[name] })
    const inputs = {
      ...{ q: tensor('q'), k: tensor('k'), v: tensor('v'), logBeta: tensor('logBeta') },
      ...(start ? { start: device.tensor([...start], { dtype: 'i32', shape: [B, T] }) } : {}),
    }
    const forward = device.ops.gatedAttention(inputs, attrs)
    const backward = device.ops.gatedAttentionGrad({ ...inputs, ...forward, dout: tensor('dout') }, attrs)
    const results = Object.entries({ ...forward, ...backward }).map(([name, t]) => [
      name,
      Float32Array.from(t.read()),
    ])
    return Object.fromEntries(results) as Results
  })
}

/** The same by the f64 reference. */
function expected(values: Values, start?: readonly number[]): Record<string, Float64Array> {
  const T = values.logBeta.length / H
  const shape = shapes(T)
  const tensor = (name: Name): RefTensor =>
    refTensor(Float64Array.from(values[name]), { dtype: 'f32', shape: shape[name] })
  const inputs = {
    ...{ q: tensor('q'), k: tensor('k'), v: tensor('v'), logBeta: tensor('logBeta') },
    ...(start ? { start: refTensor(Float64Array.from(start), { dtype: 'i32', shape: [B, T] }) } : {}),
  }
  const ops = referenceOps()
  const forward = ops.gatedAttention(inputs, attrs)
  const backward = ops.gatedAttentionGrad({ ...inputs, ...forward, dout: tensor('dout') }, attrs)
  return Object.fromEntries(
    Object.entries({ ...forward, ...backward }).map(([name, t]) => [name, t.toArray()]),
  )
}

function expectClose(results: Results, wanted: Record<string, ArrayLike<number>>, what: string): void {
  for (const [name, values] of Object.entries(results)) {
    const { relative, mismatch } = closeness(values, wanted[name]!)
    expect(mismatch, `${name} ${what}`).toBeUndefined()
    expect(relative, `${name} ${what}`).toBeLessThan(1e-5)
  }
}

describe('gated attention of keys that fade', () => {
  it.each([
    ['at once, every other one', (i: number) => (i % 4 < 2 ? -40 : -0.1)],
    ['fast', (i: number) => -0.3 - (i % 7)],
    ['here and there', (i: number) => (i % 100 < 3 ? -1e-4 : -2)],
  ] as const)('%s agrees with the reference over several tiles', (_, logBeta) => {
    const values = draw(400, logBeta)
    const wanted = expected(values)
    for (const device of devices) expectClose(run(device, values), wanted, device.isa)
  })

  it('agrees with the reference where keys gain with age', () => {
    const values = draw(200, (i) => (i % 150 === 0 ? 0.03 : -1))
    const wanted = expected(values)
    for (const device of devices) expectClose(run(device, values), wanted, device.isa)
  })

  it('passes over no tile that holds an old key much larger than the rest', () => {
    const values = draw(300, () => -1)
    // Age lowers this key's logit by at most 299; its product with the last query is about 600.
    const last = values.q.subarray(299 * H * G * D, 299 * H * G * D + D)
    const norm = last.reduce((sum, x) => sum + x * x, 0)
    for (const [d, x] of last.entries()) values.k[d] = (600 * Math.sqrt(D) * x) / norm
    const wanted = expected(values)
    for (const device of devices) expectClose(run(device, values), wanted, device.isa)
  })
})

describe('gated attention of packed documents', () => {
  it('agrees with each document in a row of its own', () => {
    const lengths = [1, 63, 70, 130, 37]
    const values = draw(301, (i) => -((i % 13) ** 2) / 1000)
    const begins = lengths.map((_, n) => lengths.slice(0, n).reduce((a, b) => a + b, 0))
    const start = lengths.flatMap((length, n) => new Array<number>(length).fill(begins[n]!))
    const width = { ...{ q: H * G * D, k: H * D, v: H * D, dout: H * G * D, logBeta: H } }
    for (const device of devices) {
      const parts = lengths.map((length, n) => {
        const cut = (name: Name) =>
          values[name].subarray(begins[n]! * width[name], (begins[n]! + length) * width[name])
        return run(device, {
          ...{ q: cut('q'), k: cut('k'), v: cut('v'), dout: cut('dout'), logBeta: cut('logBeta') },
        })
      })
      const packed = run(device, values, start)
      const joined = Object.keys(packed).map((name) => [
        name,
        Float32Array.from(parts.flatMap((part) => [...part[name as keyof Results]])),
      ])
      expectClose(packed, Object.fromEntries(joined), device.isa)
    }
  })

  it('refuses starts that fall or lie after their token', () => {
    const values = draw(4, () => -1)
    for (const device of devices) {
      for (const start of [
        [0, 1, 0, 0],
        [0, 0, 3, 3],
        [-1, 0, 0, 0],
      ]) {
        expect(() => run(device, values, start)).toThrow(
          expect.objectContaining({ code: 'TRIMKV_INVARIANT' }),
        )
      }
    }
  })
})

describe('gated attention of values that are no numbers', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'lets %d reach what depends on it, and no older tile',
    (bad) => {
      for (const name of ['q', 'k', 'v', 'logBeta', 'dout'] as const) {
        const values = draw(200, () => -0.01)
        values[name][100 * (values[name].length / 200)] = bad
        for (const device of devices) {
          const { out, dv } = run(device, values)
          const finite = (x: number) => Number.isFinite(x)
          // Tokens of older tiles do not see it.
          expect(out.subarray(0, 64 * H * G * D).every(finite), `${name} on ${device.isa}`).toBe(true)
          expect((name === 'dout' ? dv : out).every(finite), `${name} on ${device.isa}`).toBe(false)
        }
      }
    },
  )
})
