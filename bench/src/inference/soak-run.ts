import { setTimeout } from 'node:timers/promises'
import { loadModel } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { answer, childOptions, residentMemory } from '../training/child-process.ts'
import { median } from '../training/interleaved.ts'
import { SessionReader } from './reader.ts'

/** A look at a long run. */
export interface SoakPoint {
  readonly tokens: number
  readonly residentBytes: number
  /** Of it what belongs to no file: pages of files come and go as the system likes. */
  readonly ownBytes: number
  /** Tokens per second, the median of windows over the last tenth of the first point's tokens. */
  readonly rate: number
}

const windowTokens = 500
const looks = 4
const idleMs = 6000

/**
 * Memory once garbage is collected and what is free is given back. V8 gives back its room for young objects, tens of
 * megabytes, when it collects after seconds in which little was made.
 */
async function settledMemory(): Promise<Pick<SoakPoint, 'residentBytes' | 'ownBytes'>> {
  let [residentBytes, ownBytes] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let look = 0; look < looks; look++) {
    await setTimeout(idleMs)
    for (let i = 0; i < 3; i++) globalThis.gc!()
    await setTimeout(200)
    const { now, anonymousNow } = residentMemory()
    residentBytes = Math.min(residentBytes, now)
    ownBytes = Math.min(ownBytes, anonymousNow)
  }
  return { residentBytes, ownBytes }
}

async function run(options: {
  readonly threads: number
  readonly budget: number
  readonly tokens: readonly number[]
}): Promise<SoakPoint[]> {
  const { threads, budget, tokens } = options
  using model = await loadModel(referenceModelDir, { threads, gates: referenceGatesDir })
  const maxTokens = tokens.at(-1)! + 1
  await using reader = new SessionReader(model, { policy: 'trimkv', budget, exact: true, maxTokens })
  await reader.read([1])
  const points: SoakPoint[] = []
  const counted = tokens[0]! / 10 / windowTokens
  let read = 1
  for (const point of tokens) {
    const rates: number[] = []
    while (read < point) {
      const start = performance.now()
      await reader.decode(windowTokens)
      rates.push((1000 * windowTokens) / (performance.now() - start))
      read += windowTokens
    }
    points.push({ tokens: point, rate: median(rates.slice(-counted)), ...(await settledMemory()) })
  }
  return points
}

// A process of its own, started by the benchmark.
answer(await run(childOptions()))
