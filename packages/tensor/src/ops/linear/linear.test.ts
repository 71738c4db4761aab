import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { createDevice, type Device } from '../../device.ts'
import type { DType, TensorSpec } from '../../dtype.ts'
import { supportedIsas } from '../../native-device.ts'
import { scope } from '../../scope.ts'

const rows = 513
const columns = 19
const depths = [1, 37, 1000, 1024, 1027, 2111] as const
const weightTypes = ['f32', 'bf16', 'f16'] as const
const problems = [
  ...weightTypes.flatMap((dtype) => depths.map((depth) => ({ dtype, depth }))),
  ...(['q8', 'q4'] as const).flatMap((dtype) => [32, 992, 2112].map((depth) => ({ dtype, depth }))),
]

interface Problem {
  readonly x: Float32Array
  readonly weight: Float32Array
  readonly bias: Float32Array
  readonly residual: Float32Array
  readonly depth: number
  readonly dtype: DType
}

function problem(depth: number, dtype: DType): Problem {
  const random = seededRandom(depth)
  const normal = (length: number) => Float32Array.from({ length }, () => random.normal())
  const [x, weight] = [normal(rows * depth), normal(columns * depth)]
  return { x, weight, bias: normal(columns), residual: normal(rows * columns), depth, dtype }
}

interface Batch {
  readonly first: number
  readonly count: number
}

/** The result for some of the rows alone, as bits. */
function bitsOf(device: Device, task: Problem, { first, count }: Batch): Buffer {
  const { x, weight, bias, residual, depth, dtype } = task
  return scope(() => {
    const part = (values: Float32Array, width: number) =>
      device.tensor(values.subarray(first * width, (first + count) * width), {
        dtype: 'f32',
        shape: [count, width],
      })
    const out = device.ops.linear({
      x: part(x, depth),
      weight: device.tensor(weight, { dtype, shape: [columns, depth] }),
      bias: device.tensor(bias, { dtype: 'bf16', shape: [columns] }),
      residual: part(residual, columns),
    })
    return Buffer.from(Float32Array.from(out.read()).buffer)
  })
}

describe.each(supportedIsas())('linear on %s', (isa) => {
  const devices = [1, 2, 3, 7].map((threads) => createDevice({ threads, isa }))
  afterAll(() => {
    for (const device of devices) device[Symbol.dispose]()
  })

  it.each(problems)(
    'gives a row the same bits in every batch and for every thread count: $dtype, K = $depth',
    ({ dtype, depth }) => {
      const task = problem(depth, dtype)
      const whole = bitsOf(devices[0]!, task, { first: 0, count: rows })
      for (const [i, count] of [1, 2, 3, 5, 8, 17, 33, 64, 512, rows].entries()) {
        const first = Math.min(7 * i, rows - count)
        const wanted = whole.subarray(first * columns * 4, (first + count) * columns * 4)
        for (const device of devices) {
          const got = bitsOf(device, task, { first, count })
          expect(got.equals(wanted), `${count} rows from ${first}, ${device.threads} threads`).toBe(true)
        }
      }
    },
  )

  it('reads weights at any byte of a mapped file', () => {
    const task = problem(1027, 'f32')
    const folder = mkdtempSync(join(tmpdir(), 'trimkv-linear-'))
    try {
      const file = join(folder, 'weights')
      writeFileSync(file, Buffer.concat([Buffer.from([0]), Buffer.from(task.weight.buffer)]))
      const device = devices[1]!
      scope(() => {
        using mapping = device.mapFile(file, 1 + task.weight.byteLength)
        const spec: TensorSpec = { dtype: 'f32', shape: [columns, task.depth] }
        const x = device.tensor(task.x.subarray(0, 40 * task.depth), {
          dtype: 'f32',
          shape: [40, task.depth],
        })
        const aligned = device.ops.linear({ x, weight: device.tensor(task.weight, spec) }).read()
        expect(device.ops.linear({ x, weight: mapping.tensor(spec, 1) }).read()).toEqual(aligned)
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
