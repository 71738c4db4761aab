import { createDevice, type Device } from '@trimkv/tensor'
import { seededRandom } from '@trimkv/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deviceStorage } from '../src/storage.ts'
import { referenceTestBackend, type TestBackend } from '../src/testing/run-forward.ts'
import {
  type ArenaRun,
  drawArenaRun,
  modelledModes,
  modelledPolicies,
  replayArenaRun,
  shrinkArenaRun,
} from './arena-model.ts'

let device: Device
beforeAll(() => {
  device = createDevice({ threads: 2 })
})
afterAll(() => device[Symbol.dispose]())

const reference = referenceTestBackend()

describe.each(modelledModes)('random runs, $mode $buffer', (mode) => {
  it.each(modelledPolicies)('%s agrees with plain lists of tokens', (policy) => {
    const native = { storage: deviceStorage(device), ops: device.ops }
    const before = device.liveTensors()
    for (let seed = 1; seed <= 3; seed++) {
      const run = drawArenaRun(seededRandom(seed), 100, { policy, mode })
      expect(replayArenaRun(run, reference), `seed ${seed}, reference`).toBeUndefined()
      expect(replayArenaRun(run, native), `seed ${seed}, native`).toBeUndefined()
    }
    expect(device.liveTensors()).toBe(before)
  })
})

describe('a cache whose attention is wrong', () => {
  /** Attention of chunks of four tokens and more is off in its first channel. */
  function faulty(): TestBackend<ReturnType<typeof reference.storage.zeros>> {
    const { storage, ops } = reference
    return {
      storage,
      ops: {
        ...ops,
        attention: (...call: Parameters<typeof ops.attention>) => {
          const out = ops.attention(...call)
          const values = storage.read(out)
          if (values.length > 24) values[0]! += 1
          storage.write(out, values)
          return out
        },
      } as typeof ops,
    }
  }

  it('is found, and its run shrinks to what matters', () => {
    const run: ArenaRun = drawArenaRun(seededRandom(5), 60, { policy: 'knorm', mode: { mode: 'exact' } })
    const found = replayArenaRun(run, faulty())
    expect(found?.problem).toMatch(/attention of seat \d is off by/)
    const shrunk = shrinkArenaRun(run, faulty())
    expect(shrunk.operations).toHaveLength(1)
    expect(shrunk.operations[0]).toMatchObject({ kind: 'tokens' })
  })
})
