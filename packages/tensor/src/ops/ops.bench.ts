import { seededRandom } from '@trimkv/testing'
import { bench, describe } from 'vitest'
import { type Ceilings, createCeilingProbe } from '../ceilings.ts'
import { createDevice } from '../device.ts'
import { dtypeBytes, elementCount } from '../dtype.ts'
import type { AnyOp, OpCost } from '../op.ts'
import type { OpCase } from '../op-case.ts'
import { scope } from '../scope.ts'
import type { Tensor } from '../tensor.ts'
import { opCases } from './cases.ts'
import { opTable } from './index.ts'

// Times the `bench` sizes of every op, eagerly, one line per case: time of a call (median, p10–p90), bytes per second
// and arithmetic per second, both as shares of what this process gets at most just after the case. Inputs rotate through
// more memory than caches hold.
const rotatedBytes = 256 * 2 ** 20
const maxCopies = 48

type Inputs = Record<string, Tensor>

const device = createDevice()
const ops = device.ops as unknown as Record<string, (inputs: Inputs, attrs: unknown) => unknown>

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.floor(share * (sorted.length - 1))]!

function secondsOf(call: () => unknown): number {
  return scope(() => {
    const start = performance.now()
    call()
    return (performance.now() - start) / 1000
  })
}

const probe = createCeilingProbe(device)

/** What this process gets now: medians of a few measurements. */
function measureCeilings(): Ceilings {
  const measured = Array.from({ length: 5 }, () => probe.measure())
  const median = (key: keyof Ceilings) =>
    quantile(
      measured.map((ceilings) => ceilings[key]).sort((a, b) => a - b),
      0.5,
    )
  return { flops: median('flops'), bandwidth: median('bandwidth') }
}

/** Copies of the inputs of a case, with their values to start each call from. */
function prepare(op: AnyOp, test: OpCase<unknown>) {
  const random = seededRandom(1)
  const entries = Object.entries(test.inputs).map(([slot, { dtype, shape, fill }]) => {
    const draw = (_: unknown, i: number) => (fill ? fill(i, random) : random.normal())
    return { slot, spec: { dtype, shape }, values: Array.from({ length: elementCount(shape) }, draw) }
  })
  const bytes = entries.reduce((sum, { spec }) => sum + elementCount(spec.shape) * dtypeBytes(spec.dtype), 0)
  const copies = Math.min(maxCopies, Math.ceil(rotatedBytes / bytes))
  const sets = Array.from(
    { length: copies },
    (): Inputs =>
      Object.fromEntries(entries.map(({ slot, spec, values }) => [slot, device.tensor(values, spec)])),
  )
  const changed = entries.filter(({ slot }) => /inout/i.test((op.slots as Record<string, string>)[slot]!))
  return { bytes, sets, changed }
}

function report(name: string, times: number[], cost: OpCost): void {
  const sorted = times.sort((a, b) => a - b)
  const [low, median, high] = [0.1, 0.5, 0.9].map((share) => quantile(sorted, share)) as [
    number,
    number,
    number,
  ]
  const micro = (seconds: number) => (1e6 * seconds).toFixed(1)
  const ceilings = measureCeilings()
  const [read, arithmetic] = [cost.bytes / median, cost.flops / median]
  const share = (rate: number, ceiling: number) => `${((100 * rate) / ceiling).toFixed(0)} %`
  process.stdout.write(
    `${name}: ${micro(median)} µs (${micro(low)}–${micro(high)}, n ${times.length}), ` +
      `${(read / 1e9).toFixed(1)} GB/s (${share(read, ceilings.bandwidth)}), ` +
      `${(arithmetic / 1e9).toFixed(1)} GFLOP/s (${share(arithmetic, ceilings.flops)})\n`,
  )
}

function time(op: AnyOp, test: OpCase<unknown>): void {
  const title = `${op.name} ${test.name}`
  const times: number[] = []
  let prepared: ReturnType<typeof prepare> | undefined
  const call = () => {
    prepared ??= prepare(op, test)
    const inputs = prepared.sets[times.length % prepared.sets.length]!
    for (const { slot, values } of prepared.changed) inputs[slot]!.write(values)
    times.push(secondsOf(() => ops[op.name]!(inputs, test.attrs)))
  }
  const teardown = (_: unknown, mode?: string) => {
    if (mode === 'warmup' || !prepared) return
    const cost = op.cost?.(test.inputs as never, test.attrs) as OpCost | undefined
    report(title, times, cost ?? { flops: 0, bytes: prepared.bytes })
    for (const inputs of prepared.sets) for (const tensor of Object.values(inputs)) tensor[Symbol.dispose]()
  }
  bench(title, call, { teardown, time: 1000, warmupIterations: 0, warmupTime: 0 })
}

const { flops, bandwidth } = measureCeilings()
process.stdout.write(
  `${device.isa}, ${device.threads} threads, reads ${(bandwidth / 1e9).toFixed(1)} GB/s, ` +
    `multiplies and adds ${(flops / 1e9).toFixed(1)} GFLOP/s\n`,
)

for (const [name, { bench: sizes = [] }] of Object.entries(opCases).filter(([, cases]) => cases.bench)) {
  const op = (opTable as unknown as Record<string, AnyOp>)[name]!
  describe(name, () => {
    for (const test of sizes) time(op, test)
  })
}
