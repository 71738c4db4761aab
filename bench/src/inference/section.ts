import type { Device } from '@trimkv/tensor'
import { median, secondsOf, Windows } from '../training/interleaved.ts'
import type { Print } from '../training/report.ts'
import type { WeightFormat } from './weight-formats.ts'

/** How a section runs. */
export interface SectionOptions {
  readonly weights: string
  readonly format: WeightFormat
  readonly threads: number
  /** Tokens of the longest context that `long` looks at. */
  readonly longest: number
  /** Windows of each kind. */
  readonly rounds: number
  readonly print: Print
}

/** A figure and what it should be. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number }
  readonly unit: 'ratio' | 'share' | 'seconds' | 'milliseconds' | 'tokens/s' | 'GB/s' | 'GFLOP/s' | 'MiB'
}

/** What a section found. */
export interface SectionResult {
  /** What was run, in one sentence. */
  readonly about: string
  /** Windows of each kind, where that is not what was asked for. */
  readonly rounds?: number
  readonly figures: readonly Figure[]
  /** Seconds of each window, so that medians can be taken anew. */
  readonly windows?: Readonly<Record<string, readonly number[]>>
}

export type Section = (options: SectionOptions) => Promise<SectionResult>

/** Times of pieces of work measured in turns. */
export class Turns<Name extends string> {
  readonly #seconds: Record<Name, number[]>
  readonly ceilings: { readonly flops: number; readonly bandwidth: number }

  constructor(seconds: Record<Name, number[]>, ceilings: { flops: number; bandwidth: number }) {
    this.#seconds = seconds
    this.ceilings = ceilings
  }

  get windows(): Readonly<Record<Name, readonly number[]>> {
    return this.#seconds
  }

  seconds(name: Name): number {
    return median(this.#seconds[name])
  }

  /** Median over the rounds of what `slow` took as a multiple of what `fast` took next to it. */
  ratio(slow: Name, fast: Name): number {
    return median(this.#seconds[slow].map((seconds, round) => seconds / this.#seconds[fast][round]!))
  }
}

/** Runs all pieces in turns, once unmeasured and then `rounds` times, the ceilings of the device between them. */
export async function takeTurns<Name extends string>(
  device: Device,
  pieces: Readonly<Record<Name, () => Promise<void>>>,
  options: { readonly rounds: number; readonly before?: (name: Name) => Promise<void> },
): Promise<Turns<Name>> {
  using windows = new Windows(device)
  const entries = Object.entries<() => Promise<void>>(pieces) as [Name, () => Promise<void>][]
  const seconds = Object.fromEntries(entries.map(([name]) => [name, []])) as unknown as Record<Name, number[]>
  for (let round = -1; round < options.rounds; round++) {
    if (round >= 0) windows.probe()
    for (const [name, work] of entries) {
      await options.before?.(name)
      const taken = await secondsOf(work)
      if (round >= 0) seconds[name].push(taken)
    }
  }
  return new Turns(seconds, windows.medians().ceilings)
}
