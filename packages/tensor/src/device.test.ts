import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { createDevice, type Device } from './device.ts'
import type { DType } from './dtype.ts'
import { TrimError } from './errors.ts'
import { supportedIsas } from './native-device.ts'
import { roundTo } from './round.ts'
import { scope } from './scope.ts'
import type { Tensor } from './tensor.ts'

const device: Device = createDevice({ threads: 2 })
afterAll(() => device[Symbol.dispose]())

const codeOf = (action: () => unknown): string | undefined => {
  try {
    action()
    return undefined
  } catch (error) {
    return TrimError.isInstance(error) ? error.code : String(error)
  }
}
const vector = (values: ArrayLike<number>, dtype: DType = 'f32'): Tensor =>
  device.tensor(values, { dtype, shape: [values.length] })

describe('options', () => {
  it('choose threads and instruction set, or are refused', () => {
    for (const isa of supportedIsas()) {
      using own = createDevice({ threads: 1, isa })
      expect([own.isa, own.threads]).toEqual([isa, 1])
    }
    for (const threads of [0, -1, 1.5, Number.NaN, 1e6])
      expect(codeOf(() => createDevice({ threads }))).toBe('TRIMKV_OPTION')
    expect(codeOf(() => createDevice({ isa: 'sse9' as 'avx2' }))).toBe('TRIMKV_OPTION')
  })

  it('take the instruction set from TRIMKV_CPU', () => {
    const before = process.env.TRIMKV_CPU
    try {
      process.env.TRIMKV_CPU = 'baseline'
      using own = createDevice({ threads: 1 })
      expect(own.isa).toBe('baseline')
      process.env.TRIMKV_CPU = 'fastest'
      expect(() => createDevice({ threads: 1 })).toThrow(/fastest/)
    } finally {
      if (before === undefined) delete process.env.TRIMKV_CPU
      else process.env.TRIMKV_CPU = before
    }
  })
})

describe('elements', () => {
  it('are rounded to nearest even and read back as written', () => {
    const random = seededRandom(1)
    const special = [
      0,
      -0,
      1e-40,
      -1e-45,
      65504,
      65519,
      65520,
      1e38,
      3.4e38,
      Infinity,
      -Infinity,
      Number.NaN,
      2 ** -24,
      2 ** -25,
      1 + 2 ** -8,
      1 + 3 * 2 ** -8,
    ]
    const values = [
      ...special,
      ...Array.from({ length: 500 }, () => random.normal() * 10 ** random.int(-9, 6)),
    ]
    for (const dtype of ['f32', 'bf16', 'f16'] as const) {
      using tensor = vector(values, dtype)
      expect([...tensor.read()]).toEqual(
        values.map((value) => Math.fround(roundTo(dtype, Math.fround(value)))),
      )
    }
    using integers = vector([1, -2, 2 ** 31 - 1, -(2 ** 31)], 'i32')
    expect(integers.read()).toEqual(Int32Array.from([1, -2, 2 ** 31 - 1, -(2 ** 31)]))
  })

  it('are read and written through strides', () => {
    for (const dtype of ['f32', 'bf16', 'i32'] as const) {
      const base = device.tensor(
        Array.from({ length: 24 }, (_, i) => i),
        { dtype, shape: [2, 3, 4] },
      )
      const part = device.ops.slice(device.ops.slice(base, { axis: 2, start: 1, length: 2 }), {
        axis: 1,
        start: 1,
        length: 2,
      })
      expect([...part.read()]).toEqual([5, 6, 9, 10, 17, 18, 21, 22])
      const into = part.read().fill(-1)
      expect(part.readInto(into)).toBe(into)
      expect([...into]).toEqual([5, 6, 9, 10, 17, 18, 21, 22])
      const other = dtype === 'i32' ? new Float32Array(8) : new Int32Array(8)
      expect(() => part.readInto(into.subarray(1))).toThrow(/8 elements.*7/)
      expect(() => part.readInto(other)).toThrow(expect.objectContaining({ code: 'TRIMKV_DTYPE' }))
      part.write([0, 0, 0, 0, -1, -2, -3, -4])
      expect([...base.read()]).toEqual([
        0, 1, 2, 3, 4, 0, 0, 7, 8, 0, 0, 11, 12, 13, 14, 15, 16, -1, -2, 19, 20, -3, -4, 23,
      ])
      const column = device.ops.slice(base, { axis: 2, start: 3, length: 1 })
      expect([...column.read()]).toEqual([3, 7, 11, 15, 19, 23])
      base[Symbol.dispose]()
      expect(part.read()).toHaveLength(8)
    }
  })

  it('may be none, or one without axes', () => {
    expect(device.zeros({ dtype: 'f32', shape: [0, 3] }).read()).toEqual(new Float32Array(0))
    expect(device.tensor([4], { dtype: 'bf16', shape: [] }).read()).toEqual(Float32Array.of(4))
  })

  it('are refused when they do not fit', () => {
    using tensor = vector([1, 2])
    expect(codeOf(() => tensor.write([1]))).toBe('TRIMKV_SHAPE')
    expect(codeOf(() => vector([0.5], 'i32'))).toBe('TRIMKV_OPTION')
    expect(codeOf(() => vector([2 ** 31], 'i32'))).toBe('TRIMKV_OPTION')
    expect(codeOf(() => vector([Number.NaN], 'i32'))).toBe('TRIMKV_OPTION')
  })
})

describe('memory', () => {
  it('is refused for impossible shapes, without a trace', () => {
    const before = [device.liveTensors(), device.bytes()]
    const bad = [
      [-1],
      [1.5],
      [Number.NaN],
      [Infinity],
      [2 ** 53],
      [2 ** 40, 2 ** 40],
      [0, 2 ** 50, 2 ** 50],
      [1, 1, 1, 1, 1, 1, 1],
    ]
    for (const shape of bad)
      expect(
        codeOf(() => device.empty({ dtype: 'f32', shape })),
        String(shape),
      ).toBe('TRIMKV_SHAPE')
    for (const shape of [[2 ** 45], [2 ** 52]]) {
      expect(codeOf(() => device.zeros({ dtype: 'f32', shape }))).toBe('TRIMKV_OUT_OF_MEMORY')
      expect(codeOf(() => device.reserve({ dtype: 'f32', shape }))).toBe('TRIMKV_OUT_OF_MEMORY')
    }
    expect([device.liveTensors(), device.bytes()]).toEqual(before)
  })

  it('can be reserved beyond what the machine has, and starts as zeros', () => {
    using cache = device.reserve({ dtype: 'f32', shape: [2 ** 20, 2 ** 16] })
    expect(device.bytes()).toBeGreaterThanOrEqual(2 ** 38)
    using row = device.ops.slice(cache, { axis: 0, start: 123456, length: 1 })
    expect(row.read().every((x) => x === 0)).toBe(true)
    row.write(new Array(2 ** 16).fill(3))
    expect(row.read()[77]).toBe(3)
  })

  it('is counted, and back at the start after ten thousand tensors and views', () => {
    const before = [device.liveTensors(), device.bytes()]
    for (let i = 0; i < 10_000; i++) {
      const tensor = device.zeros({ dtype: 'f32', shape: [10, 10] })
      const view = device.ops.slice(tensor, { axis: 0, start: 1, length: 2 })
      if (i === 0) expect([device.liveTensors(), device.bytes()]).toEqual([before[0]! + 2, before[1]! + 400])
      tensor[Symbol.dispose]()
      tensor[Symbol.dispose]()
      view[Symbol.dispose]()
    }
    expect([device.liveTensors(), device.bytes()]).toEqual(before)
  })

  it('is not reachable through a disposed tensor, nor through another device', () => {
    const tensor = vector([1, 2])
    tensor[Symbol.dispose]()
    expect(() => tensor.read()).toThrow(/it was disposed/)
    expect(codeOf(() => device.ops.silu({ x: device.ops.reshape(tensor, [1, 2]) }))).toBe('TRIMKV_HANDLE')
    using other = createDevice({ threads: 1 })
    const foreign = other.zeros({ dtype: 'f32', shape: [1, 2] })
    const before = device.liveTensors()
    expect(codeOf(() => device.ops.silu({ x: foreign }))).toBe('TRIMKV_HANDLE')
    expect(device.liveTensors()).toBe(before)
  })

  it('is freed by the garbage collector when it was forgotten', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    using own = createDevice({ threads: 1 })
    ;(() => {
      own.ops.reshape(own.zeros({ dtype: 'f32', shape: [8] }), [2, 4])
      own.record((ops) => ops.zeros({ dtype: 'f32', shape: [4] })).runSync()
      createDevice({ threads: 2 }).zeros({ dtype: 'f32', shape: [8] })
    })()
    expect(own.liveTensors()).toBe(3)
    for (let round = 0; round < 50 && own.liveTensors() > 0; round++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect([own.liveTensors(), own.bytes()]).toEqual([0, 0])
  })

  it('makes the garbage collector run when much of it is forgotten', async () => {
    const before = device.liveTensors()
    for (let i = 0; i < 300; i++) {
      device.empty({ dtype: 'f32', shape: [1 << 20] })
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(device.liveTensors() - before).toBeLessThan(200)
  })

  it('goes with its device', () => {
    const own = createDevice({ threads: 1 })
    const tensor = own.zeros({ dtype: 'f32', shape: [1] })
    own[Symbol.dispose]()
    own[Symbol.dispose]()
    expect(codeOf(() => tensor.read())).toBe('TRIMKV_HANDLE')
    expect(codeOf(() => own.liveTensors())).toBe('TRIMKV_HANDLE')
    tensor[Symbol.dispose]()
  })
})

describe('scope', () => {
  it('frees what was made in it, except its result at any depth', () => {
    const before = device.liveTensors()
    const kept = scope(() => {
      const a = vector([1, 2])
      const b = device.ops.reshape(a, [2, 1])
      vector([3])
      return { list: [{ b }], number: 1 }
    })
    expect(device.liveTensors()).toBe(before + 1)
    expect([...kept.list[0]!.b.read()]).toEqual([1, 2])
    kept.list[0]!.b[Symbol.dispose]()
  })

  it('hands results to the scope around it, and frees all when it throws', () => {
    const before = device.liveTensors()
    scope(() => {
      const inner = scope(() => vector([1]))
      expect(inner.read()[0]).toBe(1)
      expect(() =>
        scope(() => {
          vector([2])
          throw new Error('stop')
        }),
      ).toThrow('stop')
      expect(device.liveTensors()).toBe(before + 1)
    })
    expect(device.liveTensors()).toBe(before)
  })

  it('refuses a promise', () => {
    expect(codeOf(() => scope(async () => {}))).toBe('TRIMKV_OPTION')
  })
})

describe('a mapped file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trimkv-'))
  const path = join(folder, 'weights')
  writeFileSync(
    path,
    Buffer.concat([
      Buffer.from([7]),
      Buffer.from(Float32Array.of(1, 2, 3).buffer),
      Buffer.from(Uint16Array.of(0x3f80, 0x4000).buffer),
    ]),
  )
  afterAll(() => rmSync(folder, { recursive: true }))

  it('gives read-only tensors at any offset, which outlive the mapping', () => {
    const before = [device.liveTensors(), device.bytes()]
    const mapping = device.mapFile(path, 17)
    const floats = mapping.tensor({ dtype: 'f32', shape: [3] }, 1)
    const halves = mapping.tensor({ dtype: 'bf16', shape: [2] }, 13)
    mapping[Symbol.dispose]()
    mapping[Symbol.dispose]()
    expect([...floats.read(), ...halves.read()]).toEqual([1, 2, 3, 1, 2])
    expect(codeOf(() => floats.write([1, 2, 3]))).toBe('TRIMKV_HANDLE')
    expect(codeOf(() => mapping.tensor({ dtype: 'f32', shape: [1] }, 0))).toBe('TRIMKV_HANDLE')
    expect(device.bytes()).toBe(before[1])
    floats[Symbol.dispose]()
    halves[Symbol.dispose]()
    expect(device.liveTensors()).toBe(before[0])
  })

  it('is checked: size, presence, and every tensor against its end', () => {
    expect(codeOf(() => device.mapFile(path, 18))).toBe('TRIMKV_FORMAT')
    expect(codeOf(() => device.mapFile(join(folder, 'none'), 18))).toBe('TRIMKV_NOT_FOUND')
    expect(codeOf(() => device.mapFile(folder, 17))).toBe('TRIMKV_FORMAT')
    using mapping = device.mapFile(path, 17)
    for (const offset of [2, 17, 18, 2 ** 52, -1, 0.5]) {
      expect(
        codeOf(() => mapping.tensor({ dtype: 'f32', shape: [4] }, offset)),
        String(offset),
      ).toBe('TRIMKV_SHAPE')
    }
  })

  it('may be empty', () => {
    const empty = join(folder, 'empty')
    writeFileSync(empty, '')
    using mapping = device.mapFile(empty, 0)
    expect(mapping.tensor({ dtype: 'f32', shape: [0] }, 0).read()).toHaveLength(0)
  })
})
