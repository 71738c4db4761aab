import { type SeededRandom, seededRandom } from '../seeded-random.ts'

/** One input, made from a seed alone. */
export interface FuzzCase {
  /** Files to write before {@link FuzzCase.run}, by name; kept when the case is a finding. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /**
   * Does what is under test. An error that the target refuses with is an answer like another; any other error is a
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
  /** Runs all cases in one process, and some hundreds at least: what each leaves in memory adds up, and is compared. */
  readonly lasting: boolean
  /** Codes of the errors that are an answer. Default: all of this project but TRIMKV_INVARIANT, a promise it broke. */
  readonly refusals?: readonly string[]
  /** What a case must leave as it was, however it ended: the tensors of a device, its bytes. */
  readonly counters?: () => Readonly<Record<string, number>>
  /** The same seed gives the same case. */
  createCase(seed: number): FuzzCase
}

/** {@link FuzzTarget}, with `every` 1 and not `lasting` unless said. */
interface FuzzTargetParts
  extends Omit<FuzzTarget, 'every' | 'lasting' | 'createCase'>,
    Partial<Pick<FuzzTarget, 'every' | 'lasting'>> {
  readonly createCase: (random: SeededRandom) => FuzzCase
}

/** Makes a target of a function that draws one case. */
export const fuzzTarget = ({
  every = 1,
  lasting = false,
  createCase,
  ...parts
}: FuzzTargetParts): FuzzTarget => ({
  ...parts,
  every,
  lasting,
  createCase: (seed) => createCase(seededRandom(seed)),
})

/** One of `items`. */
export const pick = <T>(random: SeededRandom, items: readonly T[]): T =>
  items[random.int(0, items.length - 1)]!
