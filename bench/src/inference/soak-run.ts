import { setTimeout } from 'node:timers/promises'
import { loadModel } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { answer, childOptions, residentMemory } from '../training/child-process.ts'
import { median, secondsOf } from '../training/interleaved.ts'
import { SessionReader } from './reader.ts'

/** A look at a long run. */
interface SoakPoint {
  readonly tokens: number
  readonly residentBytes: number
  /** Of it what belongs to no file: pages of files come and go as the system likes. */
  readonly ownBytes: number
}

/** A long run: what it held on the way, and how fast it was after the first point and after the last. */
export interface SoakRun {
  readonly points: readonly SoakPoint[]
  /** Tokens per second of two sequences in turns, one after as many tokens as the first point, one after the last's. */
  readonly rates: readonly [early: number, late: number]
}

const windowTokens = 500
const looks = 4
const idleMs = 6000

/**
 * Memory once garbage is collected and what is free is given back. V8 gives back its room for young objects, tens of
 * megabytes, when it collects after seconds in which little was made.
 */
async function settledMemory(): Promise<Omit<SoakPoint, 'tokens'>> {
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

async function decode(reader: SessionReader, tokens: number): Promise<void> {
  for (let done = 0; done < tokens; done += windowTokens) await reader.decode(windowTokens)
}

async function run(options: {
  readonly threads: number
  readonly budget: number
  readonly tokens: readonly number[]
  /** Windows of each sequence that rates are medians of. */
  readonly rounds: number
}): Promise<SoakRun> {
  const { threads, budget, tokens, rounds } = options
  using model = await loadModel(referenceModelDir, { threads, gates: referenceGatesDir })
  const maxTokens = tokens.at(-1)! + rounds * windowTokens + 1
  const cache = { policy: 'trimkv', budget, exact: true, maxTokens } as const
  await using late = new SessionReader(model, cache)
  await late.read([1])
  const points: SoakPoint[] = []
  for (const point of tokens) {
    await decode(late, point - (points.at(-1)?.tokens ?? 0))
    points.push({ tokens: point, ...(await settledMemory()) })
  }
  await using early = new SessionReader(model, cache)
  await early.read([1])
  await decode(early, tokens[0]!)
  const readers = { early, late }
  const seconds = { early: [] as number[], late: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    // Who goes first takes turns too.
    const order = round % 2 === 0 ? (['early', 'late'] as const) : (['late', 'early'] as const)
    for (const name of order) seconds[name].push(await secondsOf(() => readers[name].decode(windowTokens)))
  }
  const rate = (name: keyof typeof readers): number => windowTokens / median(seconds[name])
  return { points, rates: [rate('early'), rate('late')] }
}

// A process of its own, started by the benchmark.
answer(await run(childOptions()))
