import { afterAll, describe, expect, it } from 'vitest'
import { createDevice, type Device } from '../device.ts'
import type { DType } from '../dtype.ts'
import { TrimError } from '../errors.ts'
import { scope } from '../scope.ts'
import type { Tensor } from '../tensor.ts'

const device: Device = createDevice({ threads: 2 })
afterAll(() => device[Symbol.dispose]())

/** One sequence, one head, four slots of width 2, unless a test says otherwise. */
const ints = (values: readonly number[], shape: readonly number[]): Tensor =>
  device.tensor(values, { dtype: 'i32', shape })
const floats = (shape: readonly number[], dtype: DType = 'f32'): Tensor => device.zeros({ dtype, shape })
const count = (n: number): Tensor => ints([n], [1, 1])
const indices = (): Tensor => ints([0, 1, 2, 3], [1, 1, 4])
const kept = (...slots: number[]): Tensor => ints(slots, [1, 1, slots.length])

function refusal(action: () => unknown): string {
  return scope(() => {
    try {
      action()
      return 'accepted'
    } catch (error) {
      return TrimError.isInstance(error) ? `${error.code} ${error.message}` : String(error)
    }
  })
}

const append = (stored: number, C: number, victim?: number): Tensor =>
  device.ops.kvAppend({
    k: floats([1, C, 1, 2]),
    v: floats([1, C, 1, 2]),
    index: ints(new Array(C).fill(0), [1, C]),
    keys: floats([1, 1, 4, 2]),
    values: floats([1, 1, 4, 2]),
    slotIndex: indices(),
    count: count(stored),
    ...(victim === undefined ? {} : { victim: ints([victim], [1, 1]) }),
  })

describe('data that would lead outside a table is refused, and nothing is written', () => {
  it('by kvAppend: no room, a victim that is not stored', () => {
    expect(refusal(() => append(3, 2))).toMatch(/INVARIANT.*stores 3 of 4 slots, no room for 2 more/)
    expect(refusal(() => append(4, 1, -1))).toMatch(/INVARIANT.*no room/)
    expect(refusal(() => append(3, 1, 3))).toMatch(/INVARIANT.*victim 3/)
    expect(refusal(() => append(9, 0))).toMatch(/INVARIANT.*stores 9 slots of 4/)
    expect(refusal(() => append(4, 1, 2))).toBe('accepted')
  })

  it('by columnAppend: a slot outside the column, before the ones inside it are written', () => {
    const column = floats([1, 1, 4])
    for (const slot of [-1, 4, 2 ** 31 - 1]) {
      const values = device.tensor([5, 5], { dtype: 'f32', shape: [1, 2, 1] })
      expect(
        refusal(() => device.ops.columnAppend({ values, slots: ints([1, slot], [1, 2, 1]), column })),
      ).toMatch(/INVARIANT/)
    }
    expect([...column.read()]).toEqual([0, 0, 0, 0])
  })

  it('by every op that reads counts', () => {
    const { ops } = device
    const rows = floats([1, 1, 4, 2])
    const seen = ints([8], [1])
    for (const n of [-1, 5]) {
      const stored = count(n)
      const table = { count: stored, slotIndex: indices() }
      const scores = floats([1, 1, 4])
      const calls: Record<string, () => unknown> = {
        attention: () =>
          ops.attention({ q: floats([1, 1, 1, 2]), keys: rows, values: rows, count: stored }, { scale: 1 }),
        slotScores: () => ops.slotScores({ ...table, seen }, { score: { kind: 'recency' } }),
        windowScores: () =>
          ops.windowScores(
            { ring: floats([1, 2, 1, 2]), keys: rows, ...table, seen },
            { scale: 1, columns: 'all' },
          ),
        pool: () => ops.pool({ scores, ...table, seen }, { kernel: 3, kind: 'max', exclude: 0 }),
        shareHeads: () => ops.shareHeads({ scores, count: stored }),
        chunkMean: () => ops.chunkMean({ scores, count: stored }, { length: 2 }),
        liftProtected: () => ops.liftProtected({ scores, ...table, seen }, { first: 1, last: 1 }),
        weighScores: () => ops.weighScores({ scores, weights: scores, count: stored }, { epsilon: 0 }),
        lagScores: () =>
          ops.lagScores(
            { keys: rows, values: rows, count: stored },
            { sinks: 0, partition: 2, cross: false },
          ),
        expectedScores: () =>
          ops.expectedScores(
            {
              q: floats([1, 1, 1, 2]),
              index: ints([0], [1, 1]),
              keys: rows,
              ...table,
              seen,
              invFreq: floats([1, 1]),
            },
            { sinks: 0, future: 1, covariance: true, scale: 1, ropeScale: 1, offset: 0 },
          ),
        keyDiff: () => ops.keyDiff({ keys: rows, count: stored }),
        redundancy: () => ops.redundancy({ keys: rows, count: stored }, { threshold: 0.5 }),
        protect: () => ops.protect({ scores, ...table, seen }, { first: 1, last: 1 }),
        select: () => ops.select({ scores, ...table }, { budget: 2 }),
        compact: () => ops.compact({ kept: kept(0), count: stored, data: rows }, { ordered: true }),
        moveSlots: () => ops.moveSlots({ from: rows, to: floats([1, 1, 8, 2]), count: stored }),
      }
      for (const [name, call] of Object.entries(calls))
        expect([name, refusal(call)]).toEqual([name, expect.stringMatching(/INVARIANT/)])
    }
  })

  it('by every op that reads survivors', () => {
    const { ops } = device
    for (const slots of [[3], [1, 1], [2, 0], [0, -2], [-1, 0]]) {
      const survivors = kept(...slots)
      const rows = floats([1, 1, 4, 2])
      const calls: Record<string, () => unknown> = {
        compact: () => ops.compact({ kept: survivors, count: count(3), data: rows }, { ordered: false }),
        countKept: () => ops.countKept({ kept: survivors, count: count(3) }),
        moveSlots: () =>
          ops.moveSlots({ from: rows, to: floats([1, 1, 4, 2]), count: count(3), kept: survivors }),
      }
      for (const [name, call] of Object.entries(calls)) {
        expect([name, slots, refusal(call)]).toEqual([
          name,
          slots,
          expect.stringMatching(/INVARIANT.*kept slots/),
        ])
      }
    }
  })

  it('by moveSlots: a target that is too small', () => {
    const move = () =>
      device.ops.moveSlots({ from: floats([1, 1, 4]), to: floats([1, 1, 2]), count: count(3) })
    expect(refusal(move)).toMatch(/INVARIANT.*3 slots do not fit into 2/)
  })

  it('by pool: slots out of order; by shareHeads: heads of different lengths; by windowScores: a negative length', () => {
    const { ops } = device
    const scores = floats([1, 1, 4])
    const shuffled = { count: count(2), slotIndex: ints([3, 1, 0, 0], [1, 1, 4]), seen: ints([4], [1]) }
    expect(refusal(() => ops.pool({ scores, ...shuffled }, { kernel: 3, kind: 'avg', exclude: 0 }))).toMatch(
      /token order/,
    )
    expect(refusal(() => ops.shareHeads({ scores: floats([1, 2, 4]), count: ints([3, 2], [1, 2]) }))).toMatch(
      /3 and 2/,
    )
    const window = {
      ring: floats([1, 2, 1, 2]),
      keys: floats([1, 1, 4, 2]),
      ...shuffled,
      seen: ints([-1], [1]),
    }
    expect(refusal(() => ops.windowScores(window, { scale: 1, columns: 'all' }))).toMatch(/seen -1/)
    const ring = { q: floats([1, 1, 1, 2]), index: ints([-3], [1, 1]), ring: floats([1, 2, 1, 2]) }
    expect(refusal(() => ops.ringAppend(ring))).toMatch(/index -3/)
  })
})
