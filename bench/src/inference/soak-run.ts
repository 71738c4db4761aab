import { setTimeout } from 'node:timers/promises'
import { loadModel } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { answer, childOptions, residentMemory } from '../training/child-process.ts'
import { median } from '../training/interleaved.ts'
import { SessionReader } from './reader.ts'

/** A look at a long run. */
export interface SoakPoint {
  readonly tokens: number
  /** Memory of its own: pages of files come and go as the system likes. */
  readonly residentBytes: number
  /** Tokens per second, the median of windows over the last tenth of the first point's tokens. */
  readonly rate: number
}

const windowTokens = 500
const looks = 20

/**
 * Memory of its own once garbage is collected and given back, which JavaScript does in its own time: the least of some looks
 * a moment apart.
 */
async function settledBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let look = 0; look < looks; look++) {
    globalThis.gc?.()
    await setTimeout(100)
    least = Math.min(least, residentMemory().anonymousNow)
  }
  return least
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
  const kept = tokens[0]! / 10 / windowTokens
  let rates: number[] = []
  for (let read = 1; read < tokens.at(-1)!; read += windowTokens) {
    const start = performance.now()
    await reader.decode(windowTokens)
    rates = [...rates.slice(-kept + 1), (1000 * windowTokens) / (performance.now() - start)]
    const point = tokens[points.length]!
    if (read + windowTokens < point) continue
    points.push({ tokens: point, residentBytes: await settledBytes(), rate: median(rates) })
  }
  return points
}

// A process of its own, started by the benchmark.
answer(await run(childOptions()))
