import { createDevice, type Device, type Tensor } from '@trimkv/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KvDType } from './cache-shape.ts'
import type { EvictionMode } from './eviction-mode.ts'
import { createKvCache, type KvArena } from './kv-arena.ts'
import { policies } from './policies/index.ts'
import type { Policy } from './policy.ts'
import { policyConstants, smallestBudget } from './resolved-policy.ts'
import {
  canTruncate,
  copySeatSlots,
  finishSeatCopy,
  type SeatCopy,
  type SlotCounts,
  seatTensors,
  seatToFill,
  slotCounts,
  truncateSeat,
} from './seat-image.ts'
import type { SeatState, StepRequest } from './step-plan.ts'
import { deviceStorage } from './storage.ts'
import { type FeedTarget, runForward } from './testing/run-forward.ts'
import { testConstants } from './testing/test-rotary.ts'
import { seededTokens } from './testing/token-source.ts'

const shape = { layers: 2, queryHeads: 4, kvHeads: 2, headDim: 8, hiddenSize: 5 }
const exact: EvictionMode = { mode: 'exact' }
const buffered: EvictionMode = { mode: 'buffered', buffer: 4 }

let device: Device
beforeAll(() => {
  device = createDevice({ threads: 2 })
})
afterAll(() => device[Symbol.dispose]())

interface Setup {
  readonly policy: Policy
  readonly mode?: EvictionMode
  readonly kvDtype?: KvDType
  readonly batch?: number
  readonly when?: string
  readonly spare?: number
  /** Tokens to be pinned, which the budget must hold. */
  readonly pinned?: number
}

const optionsOf = ({ when }: Setup): { when?: string } => (when === undefined ? {} : { when })

/** Room for the policy's own window and a few more. */
const budgetOf = (setup: Setup): number =>
  (smallestBudget({
    policy: setup.policy,
    options: optionsOf(setup),
    budget: undefined,
    mode: setup.mode ?? exact,
    shape,
    ...(setup.pinned !== undefined && { pinned: setup.pinned }),
  }) ?? 1) + 5

function target(setup: Setup): FeedTarget<Tensor> {
  const { policy, mode = exact, kvDtype = 'f32', batch = 1, spare = 100 } = setup
  const storage = deviceStorage(device)
  const budget = budgetOf(setup)
  const options = optionsOf(setup)
  const capacity = budget + spare
  const constants = Object.fromEntries(
    Object.entries(policyConstants({ policy, options, mode, shape, budget })).map(
      ([name, { shape: size }]) => {
        const tensor = storage.zeros({ dtype: 'f32', shape: size })
        storage.write(tensor, testConstants(size))
        return [name, tensor]
      },
    ),
  )
  const how = { policy, options, mode, kvDtype, batch, budget, capacity, constants }
  const cache = createKvCache({ storage, shape, ...how })
  // All seats read the same text, so that a copy can go on in any of them.
  const sources = Array.from({ length: batch }, () => seededTokens(shape, 7))
  return { backend: { storage, ops: device.ops }, cache, shape, sources }
}

/** What somebody changed in an image, of its tensors those of the second layer. */
interface Tampered {
  readonly counts?: (counts: SlotCounts) => void
  readonly indices?: (indices: Int32Array) => void
  readonly victims?: (victims: Int32Array) => void
  readonly state?: Partial<SeatState>
}

const one = (count: number): StepRequest[] => Array.from({ length: count }, () => ({ newTokens: 1 }))

/** Outputs of all layers and what is kept, after each forward. */
function goOn(at: FeedTarget<Tensor>, seat: number, requests: readonly StepRequest[]): unknown[] {
  return requests.map((request) => {
    const { outputs } = runForward(at, { ...request, seats: { first: seat, count: 1 } })
    return { outputs, kept: at.cache.positions(seat), seen: at.cache.seen(seat) }
  })
}

/** Through plain arrays, as a file would. */
function carryOver({ from, fromSeat, to, toSeat }: SeatCopy<Tensor>): void {
  const saved = new Map(seatTensors(from, fromSeat).map((tensor) => [tensor.name, tensor.read()]))
  const { tensors, finish } = seatToFill(to, toSeat, slotCounts(from, fromSeat))
  expect(tensors.map(({ name }) => name)).toEqual([...saved.keys()])
  for (const tensor of tensors) tensor.write(saved.get(tensor.name)!)
  finish(from.seatAccess(fromSeat).state)
}

function copy(seats: SeatCopy<Tensor>): void {
  copySeatSlots(device.ops, seats)
  finishSeatCopy(seats)
}

const cases = Object.values(policies).flatMap((policy) =>
  [exact, buffered].flatMap((mode) => [
    { name: policy.name, mode: mode.mode, setup: { policy, mode } },
    ...(policy.name === 'full' || mode.mode === 'exact'
      ? []
      : [{ name: policy.name, mode: 'after the prompt', setup: { policy, mode, when: 'prefill' } }]),
  ]),
)

describe.each([
  ['through plain tensors', carryOver],
  ['copied', copy],
] as const)('a sequence %s', (_, move) => {
  it.each(cases)('goes on bit for bit: $name, $mode', ({ setup }) => {
    for (const kvDtype of ['f32', 'bf16', 'f16', 'f8'] as const) {
      const budget = budgetOf(setup)
      const prompt = { newTokens: budget + 3, whole: true }
      // Every phase of a window of evictions, and a cut in its middle.
      for (const steps of [0, 2, 5]) {
        const at = target({ ...setup, kvDtype })
        goOn(at, 0, [prompt, ...one(steps)])
        const other = target({ ...setup, kvDtype, batch: 3, spare: 120 })
        move({ from: at.cache, fromSeat: 0, to: other.cache, toSeat: 1 })
        const rest = [...one(6), { newTokens: 3 }, { newTokens: budget }, ...one(3)]
        expect(goOn(other, 1, rest)).toEqual(goOn(at, 0, rest))
        at.cache[Symbol.dispose]()
        other.cache[Symbol.dispose]()
      }
    }
  })

  it('leaves neighbours alone, and what it came from', () => {
    const setup = { policy: policies.h2o, mode: buffered }
    const at = target({ ...setup, batch: 2 })
    goOn(at, 0, [{ newTokens: 20 }])
    goOn(at, 1, [{ newTokens: 7 }])
    const alone = target(setup)
    goOn(alone, 0, [{ newTokens: 7 }])
    const twin = target({ ...setup, batch: 2 })
    goOn(twin, 1, [{ newTokens: 9 }])
    move({ from: at.cache, fromSeat: 0, to: twin.cache, toSeat: 0 })
    goOn(twin, 0, one(5))
    expect(goOn(at, 1, one(9))).toEqual(goOn(alone, 0, one(9)))
    expect(twin.cache.seen(1)).toBe(9)
  })

  it('says when it does not fit', () => {
    const at = target({ policy: policies.full })
    goOn(at, 0, [{ newTokens: 60 }])
    const small = target({ policy: policies.full, spare: 40 })
    expect(() => move({ from: at.cache, fromSeat: 0, to: small.cache, toSeat: 0 })).toThrow(
      expect.objectContaining({ code: 'TRIMKV_POSITION_LIMIT' }),
    )
    expect(small.cache.seen()).toBe(0)
  })
})

describe('an image', () => {
  it('holds filled slots only', () => {
    const at = target({ policy: policies.trimkv, mode: buffered })
    goOn(at, 0, [{ newTokens: 3 }])
    const shapes = seatTensors(at.cache, 0).map(({ name, shape: size }) => `${name} ${size.join('x')}`)
    expect(shapes.slice(0, shapes.length / 2)).toEqual([
      'layers.0.count 2',
      'layers.0.keys 6x8',
      'layers.0.values 6x8',
      'layers.0.index 6',
      'layers.0.columns.logBeta 6',
    ])
  })

  it('keeps heads of different lengths apart', () => {
    const at = target({ policy: policies.adakv, mode: buffered })
    goOn(at, 0, [{ newTokens: 5, whole: true }])
    const { layers, storage } = at.cache.seatAccess(0)
    storage.write(layers[0]!.slots.count, Int32Array.of(5, 2))
    const other = target({ policy: policies.adakv, mode: buffered, spare: 30 })
    carryOver({ from: at.cache, fromSeat: 0, to: other.cache, toSeat: 0 })
    expect(slotCounts(other.cache, 0).map((counts) => [...counts])).toEqual([
      [5, 2],
      [5, 5],
    ])
    const keys = (cache: KvArena<Tensor>) =>
      seatTensors(cache, 0).find(({ name }) => name === 'layers.0.keys')!
    expect(keys(other.cache).shape).toEqual([7, 8])
    expect(keys(other.cache).read()).toEqual(keys(at.cache).read())
  })

  /** Fills a seat with what another holds and one tensor or number changed. */
  function fillWith(setup: Setup, change: Tampered): () => void {
    const at = target(setup)
    goOn(at, 0, [{ newTokens: 12 }, ...one(2)])
    const { state } = at.cache.seatAccess(0)
    const counts = slotCounts(at.cache, 0)
    change.counts?.(counts)
    const other = target(setup)
    const { tensors, finish } = seatToFill(other.cache, 0, counts)
    const saved = new Map(seatTensors(at.cache, 0).map((tensor) => [tensor.name, tensor.read()]))
    for (const tensor of tensors) {
      const values = saved.get(tensor.name)!
      if (tensor.name === 'layers.1.index') change.indices?.(values as Int32Array)
      if (tensor.name === 'layers.1.victim') change.victims?.(values as Int32Array)
      tensor.write(values)
    }
    return () => finish({ ...state, ...change.state })
  }

  const ordered = { policy: policies.snapkv, mode: buffered }
  const unordered = { policy: policies.knorm, mode: buffered }
  const waiting = { policy: policies.streaming, mode: exact }
  const swap = (indices: Int32Array): void => {
    indices.subarray(0, 2).reverse()
  }
  const tampered: readonly [string, Setup, Tampered][] = [
    ['tokens out of order where the policy relies on it', ordered, { indices: swap }],
    ['a token twice', unordered, { indices: (indices) => indices.fill(indices[1]!, 0, 1) }],
    ['a token past the last', unordered, { indices: (indices) => indices.fill(14, 0, 1) }],
    ['a token before the first', unordered, { indices: (indices) => indices.fill(-1, 0, 1) }],
    ['a head shorter than all', unordered, { counts: ([heads]) => heads!.fill(heads![0]! - 1, 0, 1) }],
    ['fewer slots than are filled', unordered, { state: { stored: 2 } }],
    ['a victim where none can wait', unordered, { state: { victimWaits: true } }],
    ['no victim where one waits', waiting, { victims: (victims) => victims.fill(-1, 0, 1) }],
    ['a victim that nobody waits for', waiting, { state: { victimWaits: false, stored: 11 } }],
    ['a victim past the last slot', waiting, { victims: (victims) => victims.fill(99, 0, 1) }],
  ]

  it.each(tampered)('is refused with %s', (_, setup, change) => {
    expect(fillWith(setup, {})).not.toThrow()
    expect(fillWith(setup, change)).toThrow(expect.objectContaining({ code: 'TRIMKV_FORMAT' }))
  })

  it('takes nothing from a state that is not its own', () => {
    const at = target(unordered)
    goOn(at, 0, one(3))
    const other = target(unordered)
    const { finish, tensors } = seatToFill(other.cache, 0, slotCounts(at.cache, 0))
    const saved = seatTensors(at.cache, 0)
    for (const [i, tensor] of tensors.entries()) tensor.write(saved[i]!.read())
    const { state } = at.cache.seatAccess(0)
    finish({ ...state, heads: [0] })
    expect(other.cache.seatAccess(0).state).toEqual(state)
  })

  it('may hold tokens in any order elsewhere', () => {
    expect(fillWith(unordered, { indices: swap })).not.toThrow()
  })

  it('frees every view it makes', () => {
    const at = target({ policy: policies.snapkv, mode: exact, batch: 2 })
    goOn(at, 0, [{ newTokens: 4 }])
    const before = device.liveTensors()
    carryOver({ from: at.cache, fromSeat: 0, to: at.cache, toSeat: 1 })
    expect(device.liveTensors()).toBe(before)
  })
})

describe('cutting back', () => {
  it.each(['full', 'trimkv', 'dbtrimkv', 'streaming', 'knorm', 'keydiff', 'random'] as const)(
    '%s is as if it had read no more',
    (name) => {
      const at = target({ policy: policies[name], mode: buffered })
      const fresh = target({ policy: policies[name], mode: buffered })
      goOn(at, 0, [{ newTokens: 6 }])
      expect(canTruncate(at.cache, 0)).toBe(true)
      truncateSeat(at.cache, 0, 4)
      goOn(fresh, 0, [{ newTokens: 4 }])
      expect(goOn(at, 0, one(20))).toEqual(goOn(fresh, 0, one(20)))
    },
  )

  it('is not possible once something was dropped, or where later tokens left their mark', () => {
    for (const name of ['h2o', 'snapkv', 'r-kv', 'tova'] as const) {
      const at = target({ policy: policies[name], mode: buffered })
      goOn(at, 0, [{ newTokens: 3 }])
      expect(canTruncate(at.cache, 0), name).toBe(false)
      expect(() => truncateSeat(at.cache, 0, 1)).toThrow(/cannot be cut back/)
    }
    const dropped = target({ policy: policies.trimkv })
    goOn(dropped, 0, one(12))
    expect(canTruncate(dropped.cache, 0)).toBe(false)
  })
})

describe('pinned tokens', () => {
  const evicting = cases.filter(({ name }) => name !== 'full')

  it.each(evicting)('stay under every pressure, inside the budget: $name, $mode', ({ setup }) => {
    const pinning = { ...setup, batch: 2, pinned: 2 }
    const budget = budgetOf(pinning)
    const at = target(pinning)
    at.cache.pin(0, 2)
    const requests = [{ newTokens: budget + 9, whole: true }, ...one(12), { newTokens: budget }, ...one(3)]
    for (const request of requests) {
      runForward(at, { ...request, seats: { first: 0, count: 1 } })
      for (const heads of at.cache.positions(0)) {
        for (const kept of heads) expect(kept.slice(0, 2)).toEqual([0, 1])
      }
      if (!('when' in setup)) expect(at.cache.stored(0)).toBeLessThanOrEqual(at.cache.slots)
    }
    expect(at.cache.seen(0)).toBeGreaterThan(at.cache.stored(0))
  })

  it('travel with the sequence, and go when its seat is emptied', () => {
    const at = target({ policy: policies.knorm, batch: 2 })
    at.cache.pin(0, 3)
    goOn(at, 0, [{ newTokens: 5 }])
    copy({ from: at.cache, fromSeat: 0, to: at.cache, toSeat: 1 })
    goOn(at, 1, one(30))
    expect(at.cache.positions(1)[0]![0]!.slice(0, 3)).toEqual([0, 1, 2])
    at.cache.reset(0)
    expect(at.cache.seatAccess(0).state.pinned).toBe(0)
    expect(at.cache.seatAccess(1).state.pinned).toBe(3)
  })

  it('need a budget that holds them, which is named', () => {
    const at = target({ policy: policies.streaming, batch: 2 })
    expect(() => at.cache.pin(0, 10)).toThrow(
      expect.objectContaining({
        code: 'TRIMKV_BUDGET_TOO_SMALL',
        details: expect.objectContaining({ budget: 10, smallest: 11 }),
      }),
    )
    at.cache.pin(0, 9)
    expect(() => at.cache.pin(0, 1.5)).toThrow(/pin must be an integer/)
    expect(() => at.cache.plan({ newTokens: 1 })).toThrow(/one forward for each number/)
    at.cache.pin(1, 9)
    expect(at.cache.plan({ newTokens: 1 }).key).toMatch(/pinned 9/)
  })

  it('cannot be pinned when something may be gone', () => {
    const at = target({ policy: policies.trimkv })
    goOn(at, 0, one(12))
    expect(() => at.cache.pin(0, 2)).toThrow(/cannot be pinned any more/)
  })

  it('change nothing for a policy that keeps everything', () => {
    const at = target({ policy: policies.full })
    at.cache.pin(0, 1000)
    expect(at.cache.seatAccess(0).state.pinned).toBe(1000)
  })
})
