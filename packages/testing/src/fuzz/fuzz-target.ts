import { type SeededRandom, seededRandom } from '../seeded-random.ts'

/** One input, made from a seed alone. */
export interface FuzzCase {
  /** Files to write before {@link FuzzCase.run}, by name; kept when the case is a finding. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /**
   * Does what is under test. An error with a code of this project is an answer like another; any other error is a
   * finding, and so are a crash, a hang and memory beyond twice the files.
   * @param folder holds the files
   */
  run(folder: string): Promise<void> | void
}

/** What `pnpm fuzz` runs: a file `test/fuzz/<name>.fuzz.ts` of a package exports one as `target`. */
export interface FuzzTarget {
  /** Source files under test, relative to the root of the repository: their coverage is reported. */
  readonly covers: readonly string[]
  /** Runs one in so many of the cases asked for: where a case is as much work as ten of another target. */
  readonly every: number
  /** The same seed gives the same case. */
  createCase(seed: number): FuzzCase
}

/** Makes a target of a function that draws one case. */
export const fuzzTarget = ({
  covers,
  every = 1,
  createCase,
}: {
  readonly covers: readonly string[]
  readonly every?: number
  readonly createCase: (random: SeededRandom) => FuzzCase
}): FuzzTarget => ({ covers, every, createCase: (seed) => createCase(seededRandom(seed)) })

/** One of `items`. */
export const pick = <T>(random: SeededRandom, items: readonly T[]): T =>
  items[random.int(0, items.length - 1)]!
