import { runChild } from '../training/child-process.ts'
import type { SectionOptions, SectionResult } from './section.ts'
import type { SoakRun } from './soak-run.ts'

const budget = 64
const rounds = 100
const tokens = Array.from({ length: 10 }, (_, i) => 100_000 * (i + 1))
/**
 * Only what is in use counts. Compiled code stays, of which V8 forgets megabytes when it likes; and what is freed goes
 * back to the system, of which glibc else keeps megabytes for each of V8's threads.
 */
const settings = {
  flags: ['--no-flush-bytecode'],
  env: { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '131072' },
}

/** A million tokens through the bundled model: nothing grows, nothing slows down. */
export async function soakSection({ threads, print }: SectionOptions): Promise<SectionResult> {
  print(`Decoding ${tokens.at(-1)} tokens: some minutes`)
  const options = { threads, budget, tokens, rounds }
  const { points, rates } = await runChild<SoakRun>('../inference/soak-run.ts', options, settings)
  const [early, late] = [points.at(0)!, points.at(-1)!]
  return {
    about: `The bundled model, trimkv with ${budget} tokens per head, eviction after every token, ${threads} threads; malloc keeps nothing that is free`,
    rounds,
    figures: [
      ...points.map((point) => ({
        name: `resident after ${point.tokens}`,
        value: point.residentBytes / 2 ** 20,
        unit: 'MiB' as const,
      })),
      {
        name: 'change of it',
        value: Math.abs(late.residentBytes / early.residentBytes - 1),
        goal: { atMost: 0.01 },
        unit: 'share',
      },
      ...[early, late].map((point) => ({
        name: `of it without files after ${point.tokens}`,
        value: point.ownBytes / 2 ** 20,
        unit: 'MiB' as const,
      })),
      ...[early, late].map((point, i) => ({
        name: `after ${point.tokens}`,
        value: rates[i]!,
        unit: 'tokens/s' as const,
      })),
      {
        name: 'change of it',
        value: Math.abs(rates[1] / rates[0] - 1),
        goal: { atMost: 0.1 },
        unit: 'share',
      },
    ],
  }
}
