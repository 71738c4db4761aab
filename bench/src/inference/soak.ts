import { runChild } from '../training/child-process.ts'
import type { SectionOptions, SectionResult } from './section.ts'
import type { SoakPoint } from './soak-run.ts'

const budget = 64
const tokens = [100_000, 1_000_000]
/** Code that was compiled stays: V8 forgets some of it, megabytes, when it likes. */
const keepCode = ['--no-flush-bytecode']

/** A million tokens through the bundled model: nothing grows, nothing slows down. */
export async function soakSection({ threads, print }: SectionOptions): Promise<SectionResult> {
  print(`Decoding ${tokens.at(-1)} tokens: some minutes`)
  const options = { threads, budget, tokens }
  const points = await runChild<SoakPoint[]>('../inference/soak-run.ts', options, keepCode)
  const [early, late] = points as [SoakPoint, SoakPoint]
  return {
    about: `The bundled model, trimkv with ${budget} tokens per head, eviction after every token, ${threads} threads`,
    figures: [
      ...[early, late].map((point) => ({
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
      { name: `up to ${early.tokens}`, value: early.rate, unit: 'tokens/s' },
      { name: `up to ${late.tokens}`, value: late.rate, unit: 'tokens/s' },
      {
        name: 'change of it',
        value: Math.abs(late.rate / early.rate - 1),
        goal: { atMost: 0.1 },
        unit: 'share',
      },
    ],
  }
}
