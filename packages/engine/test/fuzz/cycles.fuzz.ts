import { type FuzzTarget, fuzzTarget, pick, type SeededRandom } from '@trimkv/testing'
import { generateBatch } from '../../src/generate/generate-batch.ts'
import type { GenerateOptions } from '../../src/generate/generate-options.ts'
import { type LoadModelOptions, loadModel, type Model } from '../../src/load-model.ts'

const load = (options: LoadModelOptions = {}): Promise<Model> =>
  loadModel('e2e/golden/llama-plain/hf', { threads: 2, ...options })
const model = await load()

const policies: readonly GenerateOptions[] = [
  {},
  { policy: 'streaming', budget: 8 },
  { policy: 'knorm', budget: 6, buffer: 3 },
  { policy: 'snapkv:when=prefill,window=2', budget: 6 },
  { policy: 'h2o', budget: 7, buffer: 2 },
]

/** Where a run is cut: never, before it starts, at an event, by leaving the loop there, or some time after it started. */
type Cut = 'none' | 'before' | 'event' | 'leave' | 'time'
const cuts: readonly Cut[] = ['none', 'before', 'event', 'event', 'leave', 'time', 'time']

async function answer(random: SeededRandom): Promise<void> {
  const prompts = Array.from({ length: random.int(1, 3) }, () => ({
    ids: Array.from({ length: random.int(1, 30) }, () => random.int(3, 90)),
  }))
  const [cut, at] = [pick(random, cuts), random.int(0, 12)]
  const controller = new AbortController()
  const reason = new Error('cut')
  const abort = (): void => controller.abort(reason)
  if (cut === 'before') abort()
  // Also in the middle of a forward, on whichever thread it is then.
  if (cut === 'time') setTimeout(abort, random.next() * 8)
  const options: GenerateOptions = {
    ...pick(random, policies),
    maxNewTokens: random.int(1, 12),
    ignoreEnd: true,
    temperature: random.int(0, 1),
    trace: random.next() < 0.1,
    signal: controller.signal,
  }
  try {
    let events = 0
    for await (const _ of generateBatch(model, prompts, options)) {
      if (events++ !== at) continue
      if (cut === 'event') abort()
      if (cut === 'leave') break
    }
  } catch (error) {
    if (error !== reason) throw error
  }
}

/** Every hundredth time a whole model comes and goes too, on a device of its own or beside the other, whole or cut. */
async function loadAndDispose(random: SeededRandom): Promise<void> {
  if (random.next() > 0.01) return
  const controller = new AbortController()
  const reason = new Error('cut')
  if (random.next() < 0.5) setTimeout(() => controller.abort(reason), random.next() * 4)
  const options = { signal: controller.signal, ...(random.next() < 0.5 && { device: model.device }) }
  try {
    const other = await load(options)
    other[Symbol.dispose]()
  } catch (error) {
    if (error !== reason) throw error
  }
}

/** Answers that are made and cut at every stage: what the device counts, and the memory of the process, must come back. */
export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/engine/src/generate/generate-batch.ts',
    'packages/engine/src/generate/seats.ts',
    'packages/engine/src/session/decoder-session.ts',
    'packages/engine/src/session/prefill.ts',
    'packages/engine/src/session/program-cache.ts',
    'packages/engine/src/load-model.ts',
  ],
  every: 10,
  lasting: true,
  // What a cycle may end with is the reason of its own signal, and it catches that.
  refusals: [],
  counters: () => ({ tensors: model.device.liveTensors(), bytes: model.device.bytes() }),
  createCase: (random) => ({
    async run() {
      await answer(random)
      await loadAndDispose(random)
    },
  }),
})
