import { readFileSync } from 'node:fs'
import { createDevice, type Device, type Tensor } from '@trimkv/tensor'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import { createKvCache, type KvArena, type KvCacheOptions } from '../src/kv-arena.ts'
import { policies } from '../src/policies/index.ts'
import { truncateSeat } from '../src/seat-image.ts'
import { deviceStorage } from '../src/storage.ts'
import { runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape: CacheShape = { layers: 3, queryHeads: 2, kvHeads: 2, headDim: 64 }
const prompt = 3000

let device: Device
beforeEach(() => {
  device = createDevice({ threads: 2 })
})
afterEach(() => device[Symbol.dispose]())

/** Resident bytes of the process's reserved tensors: mappings without swap accounting and without huge pages. */
function reservedBytes(): number {
  const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  const reserved = mappings.filter((text) => /^VmFlags:.* nr .*nh/m.test(text))
  return reserved.reduce((sum, text) => sum + Number(/^Rss:\s+(\d+) kB/m.exec(text)?.[1]) * 1024, 0)
}

type Given = Pick<KvCacheOptions<Tensor>, 'policy' | 'options' | 'mode'>

interface Feed {
  readonly cache: KvArena<Tensor>
  read(newTokens: number): void
}

function feed(given: Given): Feed {
  const storage = deviceStorage(device)
  const cache = createKvCache({
    storage,
    shape,
    budget: 100,
    kvDtype: 'bf16',
    capacity: 40_000,
    ...given,
  })
  const target = { backend: { storage, ops: device.ops }, cache, shape, sources: [seededTokens(shape, 3)] }
  return { cache, read: (newTokens) => runForward(target, { newTokens, whole: newTokens === prompt }) }
}

/** What the meter says is taken in reserved tables. */
function metered({ cache }: Feed): number {
  const { allocatedBytes, policyBytes } = cache.meter()
  const { window = 0 } = cache.policy.needs
  const counts = 2 * 4 * shape.layers * shape.kvHeads
  const ring = shape.layers * window * shape.queryHeads * shape.headDim * 4
  return allocatedBytes - counts + policyBytes - ring
}

describe.runIf(process.platform === 'linux')('memory of heads that share a budget', () => {
  const buffered = { mode: 'buffered', buffer: 8 } as const
  it.each<[string, Given]>([
    ['over all layers', { policy: policies.dbtrimkv, mode: buffered }],
    ['within layers', { policy: policies.dbtrimkv, options: { scope: 'layer', min: 4 }, mode: buffered }],
    ['after the prompt', { policy: policies.adakv, options: { window: 8 }, mode: buffered }],
  ])('%s: the system has got back what the meter does not count', (_, given) => {
    const before = reservedBytes()
    const at = feed(given)
    expect(reservedBytes() - before).toBe(0)
    at.read(prompt)
    const taken = (): number => reservedBytes() - before
    expect(taken()).toBe(metered(at))
    const whole = prompt * shape.layers * shape.kvHeads * 2 * shape.headDim * 2
    expect(taken()).toBeLessThan(whole / 10)
    const { peakBytes } = at.cache.meter()
    const peakLayers = given.options?.scope === 'layer' || given.policy === policies.adakv ? 1 : shape.layers
    expect(peakBytes).toBeGreaterThan((whole / shape.layers) * peakLayers)
    expect(peakBytes).toBeLessThan((whole / shape.layers) * (peakLayers + 0.6))
    for (let step = 0; step < 20; step++) {
      at.read(1)
      expect(taken(), `step ${step}`).toBe(metered(at))
    }
    at.read(500)
    expect(taken()).toBe(metered(at))
    at.cache.reset()
    expect(taken()).toBe(0)
    expect(metered(at)).toBe(0)
    at.cache[Symbol.dispose]()
    expect(taken()).toBe(0)
  })

  it.each(['model', 'layer'])('cutting a sequence back gives it back, %s', (scope) => {
    const before = reservedBytes()
    const at = feed({
      policy: policies.dbtrimkv,
      options: { scope },
      mode: { mode: 'buffered', buffer: 4000 },
    })
    at.read(prompt)
    at.read(500)
    const whole = reservedBytes() - before
    expect(whole).toBe(metered(at))
    truncateSeat(at.cache, 0, 40)
    expect(reservedBytes() - before).toBe(metered(at))
    expect(metered(at)).toBeLessThan(whole / 10)
    at.read(1)
    expect(reservedBytes() - before).toBe(metered(at))
    at.cache[Symbol.dispose]()
  })
})
