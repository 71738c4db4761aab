import { createDevice, type Device, type Program, type Tensor } from '@trimkv/tensor'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import type { EvictionMode } from '../src/eviction-mode.ts'
import { createKvCache, type KvArena } from '../src/kv-arena.ts'
import { policies } from '../src/policies/index.ts'
import type { Policy } from '../src/policy.ts'
import { definePolicy } from '../src/policy.ts'
import { hostScore } from '../src/score.ts'
import { deviceStorage } from '../src/storage.ts'
import { runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape: CacheShape = { layers: 2, queryHeads: 4, kvHeads: 2, headDim: 8 }
const source = seededTokens(shape, 77)
const forwards = [20, ...new Array<number>(14).fill(1), 5, ...new Array<number>(14).fill(1), 5, 1]

let device: Device
beforeEach(() => {
  device = createDevice({ threads: 2 })
})
afterEach(() => device[Symbol.dispose]())

interface Recorded {
  readonly program: Program<Tensor[]>
  readonly inputs: { readonly index: Tensor; readonly seen: Tensor }
  readonly layers: readonly Record<'q' | 'k' | 'v' | 'logBeta', Tensor>[]
}

/** Runs forwards through programs, one per key, as an engine does. */
class RecordedRun {
  readonly programs = new Map<string, Recorded>()
  readonly cache: KvArena<Tensor>

  constructor(cache: KvArena<Tensor>) {
    this.cache = cache
  }

  async forward(C: number): Promise<Float32Array[]> {
    const plan = this.cache.plan({ newTokens: C })
    const first = this.cache.seen()
    const recorded = this.programs.get(plan.key) ?? this.#record(plan)
    this.programs.set(plan.key, recorded)
    const indices = Int32Array.from({ length: C }, (_, c) => first + c)
    recorded.inputs.index.write(indices)
    recorded.inputs.seen.write([first + C])
    recorded.layers.forEach((tensors, layer) => {
      for (const [signal, tensor] of Object.entries(tensors) as [keyof typeof tensors, Tensor][]) {
        tensor.write(Array.from(indices).flatMap((index) => Array.from(source[signal](layer, index))))
      }
    })
    await recorded.program.run()
    this.cache.commit(plan)
    return recorded.program.result.map((out) => out.read() as Float32Array)
  }

  #record(plan: ReturnType<KvArena<Tensor>['plan']>): Recorded {
    const C = plan.newTokens
    const { queryHeads, kvHeads, headDim: D } = shape
    const zeros = (...size: number[]): Tensor => device.zeros({ dtype: 'f32', shape: [1, C, ...size] })
    const inputs = {
      index: device.zeros({ dtype: 'i32', shape: [1, C] }),
      seen: device.zeros({ dtype: 'i32', shape: [1] }),
    }
    const layers = Array.from({ length: shape.layers }, () => ({
      q: zeros(queryHeads, D),
      k: zeros(kvHeads, D),
      v: zeros(kvHeads, D),
      logBeta: zeros(kvHeads),
    }))
    const program = device.record((ops) => {
      const bound = this.cache.bind(ops, plan, inputs)
      // Through an op, q, k and v become intermediates of the program, as in a model.
      const half = { a: 0.5, b: 0.5 }
      return layers.map(({ q, k, v, logBeta }, layer) =>
        bound.attend(layer, {
          q: ops.mix({ a: q, b: q }, half),
          k: ops.mix({ a: k, b: k }, half),
          v: ops.mix({ a: v, b: v }, half),
          logBeta,
        }),
      )
    })
    return { program, inputs, layers }
  }
}

/** Reads everything a policy in plain TypeScript can read, its own column included. */
const curious: Policy = definePolicy({
  name: 'curious',
  source: 'test',
  phases: ['decode'],
  options: {},
  parts: () => ({
    score: hostScore({
      needs: {
        mass: true,
        window: 3,
        columns: {
          first: {
            kind: 'host',
            write: (tokens, head) => tokens.keys(head).filter((_, i) => i % shape.headDim === 0),
          },
        },
      },
      score(view, head) {
        const last = view.queries(head).at(-1)!
        const mass = view.column('mass', head)
        return view.column('first', head).map((x, slot) => x * last + mass[slot]! + view.values(head)[slot]!)
      },
    }),
  }),
})

describe.each<EvictionMode>([{ mode: 'exact' }, { mode: 'buffered', buffer: 4 }])(
  'recorded programs, $mode',
  (mode) => {
    it.each([policies.trimkv, policies.h2o, policies.random, policies.dbtrimkv, curious])(
      '$name: the same as running op by op',
      async (policy) => {
        const storage = deviceStorage(device)
        const create = (): KvArena<Tensor> =>
          createKvCache({ storage, shape, policy, budget: 10, mode, capacity: 100 })
        const run = new RecordedRun(create())
        const eager = { backend: { storage, ops: device.ops }, cache: create(), shape, sources: [source] }
        for (const [step, C] of forwards.entries()) {
          const outputs = await run.forward(C)
          expect(outputs, `forward ${step}`).toEqual(runForward(eager, { newTokens: C }).outputs)
          expect(run.cache.positions(), `forward ${step}`).toEqual(eager.cache.positions())
        }
        expect(run.programs.size).toBeLessThan(7)
        expect(run.cache.evictions).toBeGreaterThan(0)
      },
    )
  },
)

it('frees all tensors with the cache', () => {
  const before = device.liveTensors()
  for (const policy of [policies.h2o, policies.snapkv]) {
    const cache = createKvCache({
      storage: deviceStorage(device),
      shape,
      policy,
      budget: 20,
      mode: { mode: 'exact' },
    })
    cache.positions()
    cache.reset()
    cache[Symbol.dispose]()
  }
  expect(device.liveTensors()).toBe(before)
})
