import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { encodeUses } from './encoder.ts'
import { loadNative } from './native.ts'
import type { AnyOp } from './op.ts'
import { opTable } from './ops/index.ts'

const path = process.env.TRIMKV_NATIVE_PATH ?? fileURLToPath(new URL('../build/trimkv.node', import.meta.url))
const { opNames } = loadNative()
const uses = encodeUses(opNames, opTable as unknown as Record<string, AnyOp>)

/** A client of the addon in plain JavaScript: other threads and processes cannot load our sources. */
const client = `
  const addon = require(${JSON.stringify(path)})
  addon.setup((code, text) => Object.assign(new Error(text), { code }), Int32Array.from(${JSON.stringify([...uses])}))
  const device = addon.deviceCreate(0, 2)
  const create = (source, ...shape) => addon.tensorCreate(device, source, 0, shape.length, Float64Array.from(shape))
  const x = create(1, 64, 32), weight = create(1, 32), out = create(0, 64, 32)
  const op = [${opNames.indexOf('rmsNorm')}, 3, 1, x, weight, out]
  const call = [-1, 0, 1]
  const program = (words, scalars) => addon.programCreate(device, Int32Array.from(words), Float64Array.from(scalars))
  const run = (id, onCall = () => true) =>
    new Promise((resolve, reject) => addon.programRun(device, id, onCall, (error) => (error ? reject(error) : resolve())))
  const many = program(Array(2000).fill(op).flat(), Array(2000).fill(1e-6))
  const calling = program([...op, ...call, ...op], [1e-6, 0, 1e-6])
`

interface Ending {
  readonly code: number | null
  readonly signal: string | null
  readonly output: string
}

function runProcess(script: string): Promise<Ending> {
  const child = spawn(process.execPath, ['--input-type=commonjs', '-e', client + script], { timeout: 20_000 })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data))
  return new Promise((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, output: output.trim() })),
  )
}

const startWorker = (script: string): Worker =>
  new Worker(`const { parentPort } = require('node:worker_threads');${client + script}`, { eval: true })

const message = (worker: Worker): Promise<unknown> =>
  new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))

const exit = (worker: Worker): Promise<number> => new Promise((resolve) => worker.once('exit', resolve))

describe('a process', () => {
  it('ends by itself when its device is idle, disposed or not', async () => {
    expect(await runProcess(`run(many).then(() => console.log('done'))`)).toEqual({
      code: 0,
      signal: null,
      output: 'done',
    })
    const disposing = `run(many).then(() => { addon.deviceDispose(device); console.log('done') })`
    expect(await runProcess(disposing)).toEqual({ code: 0, signal: null, output: 'done' })
    expect(await runProcess(`console.log('none')`)).toEqual({ code: 0, signal: null, output: 'none' })
  })

  it('waits for runs under way', async () => {
    const script = `Promise.all([run(many), run(many), run(calling)]).then(() => console.log('all'))`
    expect(await runProcess(script)).toEqual({ code: 0, signal: null, output: 'all' })
  })

  it('can exit during a run and inside a callback', async () => {
    expect(await runProcess(`run(many); process.exit(7)`)).toMatchObject({ code: 7, signal: null })
    expect(await runProcess(`run(calling, () => process.exit(8))`)).toMatchObject({ code: 8, signal: null })
    expect(await runProcess(`addon.programRunSync(device, calling, () => process.exit(9))`)).toMatchObject({
      code: 9,
      signal: null,
    })
  })

  it('can end with an uncaught error while a run waits', async () => {
    const ending = await runProcess(
      `run(many); run(calling); setImmediate(() => { throw new Error('broken') })`,
    )
    expect(ending).toMatchObject({ code: 1, signal: null })
    expect(ending.output).toContain('broken')
  })
})

describe('worker threads', () => {
  it('have devices of their own, side by side', async () => {
    const script = `
      let calls = 0
      Promise.all([run(many), run(calling, () => (calls++, true)), run(many)]).then(() => {
        addon.submit(device, Int32Array.from(op), Float64Array.of(1e-6))
        const values = new Float32Array(64 * 32)
        addon.tensorRead(device, out, values)
        parentPort.postMessage([calls, values.every((v) => v === 0), addon.liveTensors(device)])
      })`
    const workers = [1, 2, 3].map(() => startWorker(script))
    const ended = workers.map(exit)
    expect(await Promise.all(workers.map(message))).toEqual([1, 2, 3].map(() => [1, true, 3]))
    expect(await Promise.all(ended)).toEqual([0, 0, 0])
  })

  it('can be terminated during a run, with more waiting', async () => {
    const worker = startWorker(`for (let i = 0; i < 50; i++) run(many); parentPort.postMessage('started')`)
    await message(worker)
    expect(await worker.terminate()).toBe(1)
  })

  it('can be terminated inside a callback', async () => {
    for (const start of ['run(calling, spin)', 'addon.programRunSync(device, calling, spin)']) {
      const worker = startWorker(
        `const spin = () => { parentPort.postMessage('inside'); for (;;); }; ${start}`,
      )
      await message(worker)
      expect(await worker.terminate()).toBe(1)
    }
  })

  it('can be terminated while the engine waits for a callback', async () => {
    const worker = startWorker(`run(calling); parentPort.postMessage('started'); for (;;);`)
    await message(worker)
    expect(await worker.terminate()).toBe(1)
  })

  it('can exit inside a callback', async () => {
    const worker = startWorker(`run(calling, () => process.exit(3))`)
    expect(await exit(worker)).toBe(3)
  })
})
