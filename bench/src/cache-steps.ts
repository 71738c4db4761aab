import { type CacheShape, createKvCache, deviceStorage, type KvArena, parsePolicy } from '@trimkv/cache'
import { createDevice, type Device, type Program, type Tensor } from '@trimkv/tensor'

/**
 * Processor time of a decoding step in the cache alone: attention, append and cuts of four layers, without a model.
 * `pnpm --filter @trimkv/bench cache-steps [policy...]`; the first policy is what the others are measured against.
 */

const shape: CacheShape = { layers: 4, queryHeads: 16, kvHeads: 8, headDim: 128 }
const sizes = { budget: 1024, buffer: 128, prompt: 1500, capacity: 40_960, rounds: 20 }
const defaultPolicies = ['trimkv', 'dbtrimkv:scope=layer', 'dbtrimkv', 'dbtrimkv:min=256']

/** What a recorded step reads; written before it runs. */
interface Step {
  readonly program: Program<void>
  readonly index: Tensor
  readonly seen: Tensor
  readonly logBeta: readonly Tensor[]
}

/** The same numbers in every run. */
function* uniforms(seed: number): Generator<number, never> {
  let state = seed | 1
  for (;;) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    yield (state >>> 0) / 2 ** 32
  }
}

/** A cache that reads random tokens through recorded programs, as an engine does. */
class Run {
  readonly cache: KvArena<Tensor>
  readonly #device: Device
  readonly #steps = new Map<string, Step>()
  readonly #random = uniforms(7)

  constructor(device: Device, policy: string) {
    this.#device = device
    const { budget, buffer, capacity } = sizes
    const mode = { mode: 'buffered', buffer } as const
    const storage = deviceStorage(device)
    const options = { storage, shape, budget, mode, kvDtype: 'bf16', capacity } as const
    this.cache = createKvCache({ ...options, ...parsePolicy(policy) })
  }

  /** @returns whether the cache was cut, and microseconds of processor time */
  read(newTokens: number): { readonly cut: boolean; readonly us: number } {
    const plan = this.cache.plan({ newTokens })
    const seen = this.cache.seen()
    const step = this.#steps.get(plan.key) ?? this.#record(plan)
    this.#steps.set(plan.key, step)
    step.index.write(Int32Array.from({ length: newTokens }, (_, i) => seen + i))
    step.seen.write([seen + newTokens])
    step.logBeta.forEach((tensor, layer) => {
      tensor.write(
        Float32Array.from({ length: newTokens * shape.kvHeads }, (_, i) => this.#retention(layer, i)),
      )
    })
    const before = process.cpuUsage()
    step.program.runSync()
    this.cache.commit(plan)
    const { user, system } = process.cpuUsage(before)
    return { cut: plan.due[0]!, us: user + system }
  }

  /** Heads forget at rates that lie far apart, the later layers slower. */
  #retention(layer: number, i: number): number {
    const head = layer * shape.kvHeads + (i % shape.kvHeads)
    return -this.#random.next().value * 10 ** (-1 - head / 16)
  }

  #record(plan: ReturnType<KvArena<Tensor>['plan']>): Step {
    const C = plan.newTokens
    const { queryHeads, kvHeads, headDim } = shape
    const rows = (heads: number): Tensor => {
      const spec = { dtype: 'f32', shape: [1, C, heads, headDim] } as const
      const values = Float32Array.from({ length: C * heads * headDim }, () => this.#random.next().value - 0.5)
      return this.#device.tensor(values, spec)
    }
    const index = this.#device.zeros({ dtype: 'i32', shape: [1, C] })
    const seen = this.#device.zeros({ dtype: 'i32', shape: [1] })
    const logBeta = Array.from({ length: shape.layers }, () =>
      this.#device.zeros({ dtype: 'f32', shape: [1, C, kvHeads] }),
    )
    const tokens = { q: rows(queryHeads), k: rows(kvHeads), v: rows(kvHeads) }
    const program = this.#device.record((ops) => {
      const bound = this.cache.bind(ops, plan, { index, seen })
      for (const [layer, own] of logBeta.entries()) bound.attend(layer, { ...tokens, logBeta: own })
    })
    return { program, index, seen, logBeta }
  }
}

/** What the work takes while nothing else wants the memory: the time that a tenth of the repetitions stay below. */
const quiet = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 10)]!

interface Times {
  readonly steps: number[]
  readonly cuts: number[]
}

/** Cycles from cut to cut, a step of each run in turn. */
function cycles(runs: readonly { readonly run: Run; readonly times: Times }[], count: number): void {
  for (let step = 0; step < count * sizes.buffer; step++) {
    for (const { run, times } of runs) {
      const { cut, us } = run.read(1)
      const list = cut ? times.cuts : times.steps
      list.push(us)
    }
  }
}

function main(): void {
  const given = process.argv.slice(2)
  const names = given.length > 0 ? given : defaultPolicies
  // One thread: processor time is then the work done, whatever else the machine does.
  using device = createDevice({ threads: 1 })
  const runs = names.map((name) => ({
    name,
    run: new Run(device, name),
    times: { steps: [], cuts: [] } as Times,
  }))
  for (const { run } of runs) run.read(sizes.prompt)
  // Twice round before the clock counts: programs are recorded, pages touched.
  cycles(
    runs.map(({ run }) => ({ run, times: { steps: [], cuts: [] } })),
    2,
  )
  cycles(runs, sizes.rounds)
  const first = runs[0]!
  const perToken = ({ steps, cuts }: Times): number =>
    quiet(steps) + (quiet(cuts) - quiet(steps)) / sizes.buffer
  for (const { name, run, times } of runs) {
    const { allocatedBytes, policyBytes, entries } = run.cache.meter()
    const line = {
      policy: name,
      stepUs: Math.round(quiet(times.steps)),
      cutUs: Math.round(quiet(times.cuts)),
      tokenUs: Math.round(perToken(times)),
      relative: Number((perToken(times) / perToken(first.times)).toFixed(3)),
      entries,
      bytes: allocatedBytes + policyBytes,
    }
    process.stdout.write(`${JSON.stringify(line)}\n`)
  }
}

main()
