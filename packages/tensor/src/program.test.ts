import { seededRandom } from '@trimkv/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDevice, type Device } from './device.ts'
import { TrimError } from './errors.ts'
import type { Ops } from './ops.ts'
import type { Tensor } from './tensor.ts'

let device: Device
let live = 0
let bytes = 0
beforeEach(() => {
  device = createDevice({ threads: 2 })
  live = device.liveTensors()
  bytes = device.bytes()
})
afterEach(() => device[Symbol.dispose]())

const rows = 3
const width = 40
const weights = (): Tensor => device.tensor(new Array(width).fill(1.5), { dtype: 'f32', shape: [width] })

function randomRows(seed: number): Tensor {
  const random = seededRandom(seed)
  return device.tensor(
    Float32Array.from({ length: rows * width }, () => random.normal()),
    { dtype: 'f32', shape: [rows, width] },
  )
}

/** x → many normalisations, each feeding the next and, every third time, a sum with an earlier one. */
function chain(ops: Ops<Tensor>, x: Tensor, weight: Tensor): Tensor[] {
  const made = [x]
  for (let i = 0; i < 30; i++) {
    const last = made.at(-1)!
    const next = ops.rmsNorm({ x: last, weight }, { eps: 0.1 + i })
    made.push(i % 3 === 2 ? ops.mix({ a: next, b: made[made.length >> 1]! }, { a: 0.5, b: 0.25 }) : next)
  }
  return made
}

const codeOf = async (action: () => unknown): Promise<string | undefined> => {
  try {
    await action()
    return undefined
  } catch (error) {
    return TrimError.isInstance(error) ? error.code : String(error)
  }
}

describe('a recorded program', () => {
  it('gives the same bits as the same ops run eagerly, run after run and with new inputs', async () => {
    const x = randomRows(1)
    const weight = weights()
    const program = device.record((ops) => chain(ops, x, weight).at(-1)!)
    for (const seed of [1, 2, 3]) {
      x.write(randomRows(seed).read())
      await program.run()
      const eager = chain(device.ops, x, weight).at(-1)!
      expect(program.result.read()).toEqual(eager.read())
    }
    program.runSync()
    expect(program.result.read()).toEqual(chain(device.ops, x, weight).at(-1)!.read())
  })

  it('shares one slab that is smaller than the sum of its tensors, and larger when all results are kept', () => {
    const x = randomRows(1)
    const weight = weights()
    const one = device.record((ops) => chain(ops, x, weight).at(-1)!)
    const all = device.record((ops) => ({ deep: [new Map([['key', chain(ops, x, weight)]])] }))
    const made = all.result.deep[0]!.get('key')!
    expect(one.bytes).toBeLessThan((all.bytes * 2) / 3)
    all.runSync()
    const eager = chain(device.ops, x, weight)
    for (const [index, tensor] of made.entries()) expect(tensor.read()).toEqual(eager[index]!.read())
  })

  it('keeps views of intermediates alive as long as the tensor they are taken from', async () => {
    const x = randomRows(4)
    const weight = weights()
    const half = (ops: Ops<Tensor>): Tensor => {
      const y = ops.rmsNorm({ x, weight }, { eps: 1 })
      const part = ops.slice(ops.reshape(y, [rows * 2, width / 2]), { axis: 0, start: 1, length: 2 })
      const other = ops.rmsNorm({ x: ops.rmsNorm({ x, weight }, { eps: 2 }), weight }, { eps: 3 })
      return ops.mix(
        {
          a: part,
          b: ops.slice(ops.reshape(other, [rows * 2, width / 2]), { axis: 0, start: 0, length: 2 }),
        },
        { a: 1, b: 2 },
      )
    }
    const program = device.record(half)
    await program.run()
    expect(program.result.read()).toEqual(half(device.ops).read())
  })

  it('holds its inputs when they are disposed, and says so when a tensor cannot be read', async () => {
    const x = randomRows(5)
    const weight = weights()
    let middle: Tensor | undefined
    const program = device.record((ops) => {
      middle = ops.rmsNorm({ x, weight }, { eps: 1 })
      expect(() => middle!.read()).toThrow(/still being recorded/)
      return ops.rmsNorm({ x: middle, weight }, { eps: 1 })
    })
    x[Symbol.dispose]()
    weight[Symbol.dispose]()
    await program.run()
    expect(program.result.read().every(Number.isFinite)).toBe(true)
    expect(() => middle!.read()).toThrow(/exists only while its program runs/)
  })

  it('fills zeros once and keeps what is written into them', async () => {
    const counts = device.record((ops) => {
      const zeros = ops.zeros({ dtype: 'f32', shape: [rows, width] })
      return { zeros, copy: ops.mix({ a: zeros, b: zeros }, { a: 1, b: 1 }) }
    })
    await counts.run()
    expect(new Set(counts.result.copy.read())).toEqual(new Set([0]))
    counts.result.zeros.write(new Array(rows * width).fill(2))
    await counts.run()
    expect(new Set(counts.result.copy.read())).toEqual(new Set([4]))
  })

  it('makes nothing when an op is invalid or the recording throws', async () => {
    const x = randomRows(6)
    const before = [device.liveTensors(), device.bytes()]
    const other = createDevice({ threads: 1 })
    const foreign = other.zeros({ dtype: 'f32', shape: [width] })
    expect(await codeOf(() => device.record((ops) => ops.rmsNorm({ x, weight: foreign }, { eps: 1 })))).toBe(
      'TRIMKV_HANDLE',
    )
    const recording = (): unknown =>
      device.record((ops) => {
        ops.zeros({ dtype: 'f32', shape: [1000] })
        throw new Error('stop')
      })
    expect(recording).toThrow('stop')
    expect(await codeOf(() => device.record(async () => {}))).toBe('TRIMKV_OPTION')
    expect([device.liveTensors(), device.bytes()]).toEqual(before)
    other[Symbol.dispose]()
  })

  it('returns all memory when disposed', async () => {
    for (let i = 0; i < 200; i++) {
      const x = randomRows(i)
      const weight = weights()
      const program = device.record((ops) => {
        ops.zeros({ dtype: 'i32', shape: [7] })
        return chain(ops, x, weight)
      })
      if (i % 50 === 0) await program.run()
      program[Symbol.dispose]()
      program[Symbol.dispose]()
      x[Symbol.dispose]()
      weight[Symbol.dispose]()
    }
    expect([device.liveTensors(), device.bytes()]).toEqual([live, bytes])
  })
})

describe('runs', () => {
  it('are done in the order they were asked for', async () => {
    const order: number[] = []
    const programs = [0, 1, 2].map((index) => device.record((ops) => ops.call(() => order.push(index))))
    await Promise.all([0, 2, 1, 1, 0, 2].map((index) => programs[index]!.run()))
    expect(order).toEqual([0, 2, 1, 1, 0, 2])
  })

  it('let the event loop go on and eager ops in between', async () => {
    const x = randomRows(1)
    const weight = weights()
    const program = device.record((ops) => chain(ops, x, weight).at(-1)!)
    const progress = { isDone: false }
    const runs = Promise.all(Array.from({ length: 2000 }, () => program.run())).then(() => {
      progress.isDone = true
    })
    let turns = 0
    while (!progress.isDone) {
      turns++
      device.ops.rmsNorm({ x, weight }, { eps: 1 })[Symbol.dispose]()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await runs
    expect(turns).toBeGreaterThan(1)
  })

  it('are refused synchronously while one is under way', async () => {
    const program = device.record((ops) => ops.call(() => {}))
    const run = program.run()
    expect(await codeOf(() => program.runSync())).toBe('TRIMKV_DEVICE')
    await run
    program.runSync()
  })

  it('are refused after the program was disposed, and finish when it is disposed meanwhile', async () => {
    const x = randomRows(2)
    const weight = weights()
    const program = device.record((ops) => void chain(ops, x, weight))
    const run = program.run()
    program[Symbol.dispose]()
    await run
    expect(await codeOf(() => program.run())).toBe('TRIMKV_HANDLE')
    expect(await codeOf(() => program.runSync())).toBe('TRIMKV_HANDLE')
  })

  it('finish when the device is disposed meanwhile; nothing new is accepted', async () => {
    const own = createDevice({ threads: 3 })
    const calls: number[] = []
    const program = own.record((ops) => {
      ops.call(() => calls.push(1))
      ops.call(() => calls.push(2))
    })
    const runs = [program.run(), program.run()]
    own[Symbol.dispose]()
    own[Symbol.dispose]()
    await Promise.all(runs)
    expect(calls).toEqual([1, 2, 1, 2])
    expect(await codeOf(() => program.run())).toBe('TRIMKV_HANDLE')
    expect(await codeOf(() => own.zeros({ dtype: 'f32', shape: [1] }))).toBe('TRIMKV_HANDLE')
    program[Symbol.dispose]()
  })
})

describe('aborting', () => {
  it('stops before the next op and rejects with the reason of the signal', async () => {
    const calls: string[] = []
    const controller = new AbortController()
    const reason = new Error('enough')
    const program = device.record((ops) => {
      ops.call(() => calls.push('first'))
      ops.call(() => controller.abort(reason))
      ops.call(() => calls.push('never'))
    })
    await expect(program.run({ signal: controller.signal })).rejects.toBe(reason)
    expect(calls).toEqual(['first'])
    await expect(program.run({ signal: controller.signal })).rejects.toBe(reason)
    expect(calls).toEqual(['first'])
  })

  it('drops a run that waits for its turn and leaves the others alone', async () => {
    const calls: string[] = []
    const controller = new AbortController()
    const first = device.record((ops) => ops.call(() => controller.abort()))
    const second = device.record((ops) => ops.call(() => calls.push('second')))
    const runs = await Promise.allSettled([
      first.run(),
      second.run({ signal: controller.signal }),
      second.run(),
    ])
    expect(runs.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(calls).toEqual(['second'])
    expect((runs[1] as PromiseRejectedResult).reason).toMatchObject({ name: 'AbortError' })
  })
})

describe('call', () => {
  it('runs between the ops before and after it, with eager ops, and may read what it names', async () => {
    const x = randomRows(7)
    const weight = weights()
    const input = device.zeros({ dtype: 'f32', shape: [rows, width] })
    const program = device.record((ops) => {
      const y = ops.rmsNorm({ x, weight }, { eps: 1 })
      ops.call(() => {
        const doubled = device.ops.mix({ a: y, b: y }, { a: 1, b: 1 })
        input.write(doubled.read())
        doubled[Symbol.dispose]()
      }, [y])
      return ops.rmsNorm({ x: input, weight }, { eps: 2 })
    })
    const y = device.ops.rmsNorm({ x, weight }, { eps: 1 })
    const expected = device.ops
      .rmsNorm({ x: device.ops.mix({ a: y, b: y }, { a: 1, b: 1 }), weight }, { eps: 2 })
      .read()
    await program.run()
    expect(program.result.read()).toEqual(expected)
    input.write(new Array(rows * width).fill(0))
    program.runSync()
    expect(program.result.read()).toEqual(expected)
  })

  it('ends the run with exactly what it throws, and the program can run again', async () => {
    let thrown: unknown = new Error('mine')
    const calls: number[] = []
    const program = device.record((ops) => {
      ops.call(() => {
        if (thrown !== 'nothing') throw thrown
      })
      ops.call(() => calls.push(1))
    })
    for (const value of [thrown, undefined, 5, null]) {
      thrown = value
      await expect(program.run()).rejects.toBe(value)
      expect(() => program.runSync()).toThrow()
    }
    expect(calls).toEqual([])
    thrown = 'nothing'
    await program.run()
    program.runSync()
    expect(calls).toEqual([1, 1])
  })

  it('refuses a promise', async () => {
    const asynchronous = (() => Promise.resolve()) as () => void
    const program = device.record((ops) => ops.call(asynchronous))
    expect(await codeOf(() => program.run())).toBe('TRIMKV_OPTION')
    expect(await codeOf(() => program.runSync())).toBe('TRIMKV_OPTION')
  })

  it('may dispose the program and the device it is part of', async () => {
    for (const how of ['run', 'runSync'] as const) {
      const own = createDevice({ threads: 2 })
      const x = own.zeros({ dtype: 'f32', shape: [1, 4] })
      const weight = own.zeros({ dtype: 'f32', shape: [4] })
      const program = own.record((ops) => {
        ops.call(() => {
          program[Symbol.dispose]()
          own[Symbol.dispose]()
        })
        ops.rmsNorm({ x, weight }, { eps: 1 })
      })
      const code = await codeOf(() => program[how]())
      expect(code).toBe(how === 'run' ? undefined : 'TRIMKV_HANDLE')
    }
  })
})
