import { loadModel } from '@trimkv/engine'
import { answer, childOptions } from '../training/child-process.ts'
import { secondsOf } from '../training/interleaved.ts'
import { SessionReader } from './reader.ts'

/** Seconds in a process of its own. */
export interface LoadTimes {
  readonly load: number
  /** From the loaded model: a session, its recording, and every weight mapped and read for the first time. */
  readonly firstToken: number
}

async function measure(options: { readonly folder: string; readonly threads: number }): Promise<LoadTimes> {
  const start = performance.now()
  using model = await loadModel(options.folder, { threads: options.threads })
  const load = (performance.now() - start) / 1000
  const firstToken = await secondsOf(async () => {
    await using reader = new SessionReader(model, { policy: 'full', maxTokens: 16 })
    await reader.read([1])
  })
  return { load, firstToken }
}

// A process of its own, started by the benchmark.
answer(await measure(childOptions()))
