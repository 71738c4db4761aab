import { createDevice } from '@trimkv/tensor'
import { type FuzzTarget, fuzzTarget } from '@trimkv/testing'
import { deviceStorage } from '../../src/storage.ts'
import { drawArenaRun, replayArenaRun, shrinkArenaRun } from '../arena-model.ts'

const device = createDevice({ threads: 1 })
const backend = { storage: deviceStorage(device), ops: device.ops }

/** Operations of one case. */
const length = 100

/** The slot arena against plain lists of tokens. */
export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/cache/src/kv-arena.ts',
    'packages/cache/src/bound-cache.ts',
    'packages/cache/src/step-plan.ts',
    'packages/cache/src/append-tokens.ts',
    'packages/cache/src/slot-set.ts',
    'packages/cache/src/rate-slots.ts',
    'packages/cache/src/cache-meter.ts',
  ],
  every: 10,
  // Nothing that is asked of the arena here is wrong.
  refusals: [],
  counters: () => ({ tensors: device.liveTensors(), bytes: device.bytes() }),
  createCase(random) {
    const run = drawArenaRun(random, length)
    return {
      run() {
        const found = replayArenaRun(run, backend)
        if (found) throw new Error(`${found.problem}\n${JSON.stringify(shrinkArenaRun(run, backend))}`)
      },
    }
  },
})
