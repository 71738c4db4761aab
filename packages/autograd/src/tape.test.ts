import { type Ops, type RefTensor, referenceOps, refTensor } from '@trimkv/tensor'
import { seededRandom } from '@trimkv/testing'
import { describe, expect, it } from 'vitest'
import { createTape } from './tape.ts'
import { gradcheck } from './testing/gradcheck.ts'

const ops = referenceOps()
const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const

function random(seed: number, ...shape: number[]): RefTensor {
  const source = seededRandom(seed)
  const size = shape.reduce((a, b) => a * b, 1)
  return refTensor(
    Float64Array.from({ length: size }, () => source.normal()),
    f32(...shape),
  )
}

const ones = ({ shape }: RefTensor): RefTensor =>
  refTensor(new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(1), f32(...shape))

/** The reference ops, noting the name of every call. */
function tracedOps(): { readonly ops: Ops<RefTensor>; readonly names: string[] } {
  const names: string[] = []
  const traced = Object.entries(ops).map(([name, call]) => [
    name,
    (...args: never[]) => {
      names.push(name)
      return (call as (...args: never[]) => unknown)(...args)
    },
  ])
  return { ops: Object.fromEntries(traced) as Ops<RefTensor>, names }
}

describe('gradients', () => {
  it('of a tensor that is used several times are added', () => {
    const x = random(1, 3, 4)
    const weight = random(2, 4, 4)
    const run = ({ ops }: { ops: Ops<RefTensor> }) => {
      const y = ops.linear({ x, weight, residual: x })
      return ops.mix({ a: ops.swiglu({ gate: y, up: y }), b: ops.linear({ x: y, weight }) }, { a: 1, b: 2 })
    }
    expect(gradcheck({ wrt: { x, weight }, run })).toEqual([])
  })

  it('go through overlapping slices, slices of slices and other shapes', () => {
    const x = random(3, 4, 6)
    const run = ({ ops }: { ops: Ops<RefTensor> }) => {
      const left = ops.slice(x, { axis: 1, start: 0, length: 4 })
      const right = ops.slice(x, { axis: 1, start: 2, length: 4 })
      const inner = ops.slice(right, { axis: 0, start: 1, length: 2 })
      const heads = ops.reshape(left, [4, 2, 2])
      return [
        ops.swiglu({ gate: left, up: right }),
        ops.silu({ x: inner }),
        ops.concatLast({ a: heads, b: ops.reshape(right, [4, 2, 2]) }),
      ]
    }
    expect(gradcheck({ wrt: { x }, run })).toEqual([])
  })

  it('start from several results, and from one result twice', () => {
    const x = random(4, 2, 3)
    const tape = createTape(ops, { wrt: [x] })
    const y = tape.ops.mix({ a: x, b: x }, { a: 1, b: 2 })
    const [grad] = tape.backward([
      { tensor: y, grad: ones(y) },
      { tensor: y, grad: ones(y) },
      { tensor: x, grad: ones(x) },
    ])
    expect([...grad!.toArray()]).toEqual(new Array(6).fill(7))
  })

  it('may start from a strided one', () => {
    const x = random(5, 2, 3)
    const grad = ops.slice(random(6, 2, 5), { axis: 1, start: 1, length: 3 })
    const tape = createTape(ops, { wrt: [x] })
    const y = tape.ops.reshape(tape.ops.reshape(x, [6]), [2, 3])
    expect(tape.backward([{ tensor: y, grad }])[0]!.toArray()).toEqual(grad.toArray())
  })

  it('are absent where nothing depends on a tensor, and for results that depend on nothing', () => {
    const [x, unused] = [random(7, 2, 3), random(8, 2)]
    const tape = createTape(ops, { wrt: [unused, x] })
    const y = tape.ops.silu({ x })
    const z = tape.ops.silu({ x: random(9, 2, 3) })
    const grads = tape.backward([
      { tensor: y, grad: ones(y) },
      { tensor: z, grad: ones(z) },
    ])
    expect(grads.map((grad) => grad?.shape)).toEqual([undefined, [2, 3]])
  })

  it('are f32 whatever the dtype, and pass through rounding', () => {
    const x = random(10, 2, 3)
    const weight = refTensor([1, 2, 3, 4, 5, 6], { dtype: 'bf16', shape: [2, 3] })
    const tape = createTape(ops, { wrt: [x, weight] })
    const rounded = tape.ops.copy({ x }, { dtype: 'bf16' })
    const y = tape.ops.linear({ x: tape.ops.copy({ x: rounded }, { dtype: 'f32' }), weight })
    const grads = tape.backward([{ tensor: y, grad: ones(y) }])
    expect(grads.map((grad) => grad?.dtype)).toEqual(['f32', 'f32'])
    expect([...grads[0]!.toArray()]).toEqual([5, 7, 9, 5, 7, 9])
  })

  it('of what is not asked for cost nothing', () => {
    const { ops, names } = tracedOps()
    const [x, weight, bias] = [random(11, 2, 3), random(12, 4, 3), random(13, 4)]
    const tape = createTape(ops, { wrt: [bias] })
    const y = tape.ops.linear({ x: tape.ops.silu({ x }), weight, bias })
    names.length = 0
    tape.backward([{ tensor: y, grad: ones(y) }])
    expect(names).toEqual(['sumRows'])
  })
})

describe('what cannot be differentiated', () => {
  const table = random(20, 3, 2)
  const positions = refTensor([0, 1, 2], { dtype: 'i32', shape: [3] })

  it('fails with the name of the op when a gradient reaches it, and only then', () => {
    const logits = random(21, 2, 4)
    const ids = refTensor([1, 2], { dtype: 'i32', shape: [2] })
    const tape = createTape(ops, { wrt: [logits] })
    const logProb = tape.ops.tokenLogProb({ logits, targets: ids })
    const y = tape.ops.silu({ x: logits })
    expect(tape.backward([{ tensor: y, grad: ones(y) }])[0]?.shape).toEqual([2, 4])
    expect(() => tape.backward([{ tensor: logProb, grad: ones(logProb) }])).toThrowError(
      expect.objectContaining({ code: 'TRIMKV_UNSUPPORTED', what: '[tokenLogProb] has no gradient' }),
    )
  })

  it('fails for an input that an op cannot be differentiated by', () => {
    const x = random(22, 3, 1, 2)
    const tape = createTape(ops, { wrt: [table, x] })
    const y = tape.ops.rope({ x, table }, { inverse: false })
    expect(() => tape.backward([{ tensor: y, grad: ones(y) }])).toThrowError(
      /\[rope\].*with respect to table/,
    )
  })

  it('fails for gradients through lse', () => {
    const q = random(23, 1, 2, 1, 2)
    const tape = createTape(ops, { wrt: [q] })
    const { lse } = tape.ops.gatedAttention({ q, k: q, v: q }, { scale: 1 })
    expect(() => tape.backward([{ tensor: lse, grad: ones(lse) }])).toThrowError(
      expect.objectContaining({ code: 'TRIMKV_UNSUPPORTED' }),
    )
  })

  it('is zero for the number of heads above their budget, which counts as a constant', () => {
    const occupancy = refTensor([3, 1, 4], f32(1, 1, 3))
    const tape = createTape(ops, { wrt: [occupancy] })
    const { active } = tape.ops.capacity({ occupancy }, { budget: 2, scope: 'head', form: 'code' })
    expect([...active.toArray()]).toEqual([2])
    expect([...tape.backward([{ tensor: active, grad: ones(active) }])[0]!.toArray()]).toEqual([0, 0, 0])
  })

  it('fails for ops in place on what the tape follows or has read, not on anything else', () => {
    const [x, weight, total] = [random(24, 2, 3), random(25, 4, 3), random(26, 2, 3)]
    const tape = createTape(ops, { wrt: [x] })
    tape.ops.linear({ x, weight })
    const add = (into: RefTensor, from: RefTensor) => () =>
      tape.ops.accumulate({ into, x: from }, { keep: 1, scale: 1 })
    const unsupported = expect.objectContaining({ code: 'TRIMKV_UNSUPPORTED' })
    expect(add(x, total)).toThrowError(unsupported)
    expect(add(total, x)).toThrowError(unsupported)
    expect(add(weight, random(27, 4, 3))).toThrowError(unsupported)
    expect(add(total, random(28, 2, 3))).not.toThrow()
    expect(() => tape.ops.ropeTable({ positions, invFreq: random(29, 1, 1) }, { scale: 1 })).not.toThrow()
  })

  it('fails for a gradient of another shape or dtype', () => {
    const x = random(30, 2, 3)
    const tape = createTape(ops, { wrt: [x] })
    const y = tape.ops.silu({ x })
    const code = (code: string) => expect.objectContaining({ code })
    expect(() => tape.backward([{ tensor: y, grad: random(31, 3, 2) }])).toThrowError(code('TRIMKV_SHAPE'))
    const half = refTensor(new Float64Array(6), { dtype: 'f16', shape: [2, 3] })
    expect(() => tape.backward([{ tensor: y, grad: half }])).toThrowError(code('TRIMKV_DTYPE'))
  })
})

describe('recomputation', () => {
  const weights = [40, 41, 42].map((seed) => random(seed, 4, 4))
  const x = random(43, 3, 4)

  /** A residual block per segment. */
  function run({ ops, segment }: { ops: Ops<RefTensor>; segment: () => void }): RefTensor {
    let hidden = x
    for (const weight of weights) {
      segment()
      const inner = ops.silu({ x: ops.linear({ x: hidden, weight }) })
      hidden = ops.linear({ x: inner, weight, residual: hidden })
    }
    return hidden
  }

  it('gives the same gradients to the bit', () => {
    const gradients = [true, false].map((recompute) => {
      const tape = createTape(ops, { wrt: [x, ...weights], recompute })
      const y = run(tape)
      return tape.backward([{ tensor: y, grad: ones(y) }]).map((grad) => grad!.toArray())
    })
    expect(gradients[0]).toEqual(gradients[1])
    expect(gradcheck({ wrt: { x, weight: weights[1]! }, run, recompute: true })).toEqual([])
  })

  it('issues what gradients read again, once, and nothing of the open segment', () => {
    const { ops, names } = tracedOps()
    const tape = createTape(ops, { wrt: weights, recompute: true })
    const y = run(tape)
    names.length = 0
    tape.backward([{ tensor: y, grad: ones(y) }])
    // The second linear of a block is read by nobody: its gradient needs its inputs only.
    expect(names.filter((name) => name === 'linear' || name === 'silu')).toEqual([
      'linear',
      'silu',
      'linear',
      'silu',
    ])
    expect(names.filter((name) => name === 'siluGrad')).toHaveLength(3)
  })

  it('reads nothing of a closed segment that was made the first time', () => {
    const tape = createTape(ops, { wrt: [x, ...weights], recompute: true })
    tape.segment()
    const inner = tape.ops.silu({ x: tape.ops.linear({ x, weight: weights[0]! }) })
    const crossing = tape.ops.linear({ x: inner, weight: weights[0]!, residual: x })
    tape.segment()
    const y = tape.ops.linear({ x: crossing, weight: weights[1]! })
    const seeds = [{ tensor: y, grad: ones(y) }]
    const expected = tape.backward(seeds).map((grad) => grad?.toArray())
    inner.storage.fill(Number.NaN)
    expect(tape.backward(seeds).map((grad) => grad?.toArray())).toEqual(expected)
    crossing.storage.fill(Number.NaN)
    expect(tape.backward(seeds)[2]!.toArray().every(Number.isNaN)).toBe(true)
  })
})
