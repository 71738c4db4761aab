import { type FuzzTarget, fuzzTarget, pick, type SeededRandom } from '@trimkv/testing'
import { generateBatch } from '../../src/generate/generate-batch.ts'
import type { GenerateOptions } from '../../src/generate/generate-options.ts'
import { loadModel, type Model } from '../../src/load-model.ts'

const load = (): Promise<Model> => loadModel('e2e/golden/llama-plain/hf', { threads: 2 })
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

/** Every hundredth time a whole model comes and goes too. */
async function loadAndDispose(random: SeededRandom): Promise<void> {
  if (random.next() > 0.01) return
  const other = await load()
  other[Symbol.dispose]()
}

const counters = () => ({ tensors: model.device.liveTensors(), bytes: model.device.bytes() })
const atStart = counters()
const warmCycles = 300
const residentSlack = 64 * 1024 * 1024
let cycles = 0
let residentBytes = 0

/** Answers that are made and cut at every stage: what the device counts, and the memory of the process, must come back. */
export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/engine/src/generate/generate-batch.ts',
    'packages/engine/src/session/decoder-session.ts',
    'packages/engine/src/session/prefill.ts',
    'packages/engine/src/session/program-cache.ts',
    'packages/engine/src/load-model.ts',
  ],
  every: 10,
  createCase: (random) => ({
    async run() {
      await answer(random)
      await loadAndDispose(random)
      const now = counters()
      if (now.tensors !== atStart.tensors || now.bytes !== atStart.bytes)
        throw new Error(`${JSON.stringify(now)} on the device, ${JSON.stringify(atStart)} at the start`)
      const { rss } = process.memoryUsage()
      if (++cycles === warmCycles) residentBytes = rss
      if (cycles > warmCycles && rss > residentBytes + residentSlack)
        throw new Error(`${rss} bytes resident after ${cycles} cycles, ${residentBytes} after ${warmCycles}`)
    },
  }),
})
