import { failOption } from './option-error.ts'
import { createRandom, type Random } from './random.ts'
import type { Sample } from './sample.ts'
import { fitLength, type TargetLength, targetOf } from './target-length.ts'
import { createText, type TextBuilder } from './text/text-builder.ts'

/** A task with its options settled: a source of samples. */
export interface Task {
  readonly name: string
  /** Raised whenever the same seed begins to give other samples. */
  readonly version: number
  /** What defines the task. */
  readonly source: string
  readonly options: TaskOptions
  /**
   * Makes one sample; it depends on name, version, options, `seed` and `index` alone.
   * @param seed  an integer
   * @param index which one of the seed's samples, 0 unless given
   * @throws RangeError when the options do not fit into the length
   */
  sample(seed: number, index?: number): Sample
}

/** What every task can be told. */
export interface TaskOptions {
  /** 256 words unless given. */
  readonly length: TargetLength
}

/** Makes a task; options that are not given have the defaults that their type documents. */
export type TaskFactory<O extends TaskOptions> = (options?: Partial<O>) => Task & { readonly options: O }

/** What a generator works with. */
export interface Draft<O> {
  readonly options: O
  readonly random: Random
  readonly text: TextBuilder
  /** How many words the text may have in the end. */
  readonly words: number
  /** The length that was asked for, in the caller's unit. */
  readonly target: number
}

interface TaskDefinition<O> {
  readonly name: string
  readonly version: number
  readonly source: string
  readonly defaults: O
  /** @throws RangeError for options that no length can honour */
  check(options: O): void
  /** Writes the text with its questions, exactly or nearly `words` long and never longer. */
  write(draft: Draft<O>): void
}

export function defineTask<O extends TaskOptions>(definition: TaskDefinition<O>): TaskFactory<O> {
  const { name, version, source, defaults } = definition
  return (given = {}) => {
    const options: O = { ...defaults, ...given }
    definition.check(options)
    return {
      name,
      version,
      source,
      options,
      sample: (seed, index = 0) => {
        if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(index)) {
          failOption(`seed and index must be integers; got ${seed} and ${index}`, 'pass integers')
        }
        const made = fitLength(options.length, (words) => {
          const text = createText()
          const random = createRandom(`${name}/${version}/${seed}/${index}`)
          definition.write({ options, random, text, words, target: targetOf(options.length) })
          return { ...text.finish(), questions: text.questions }
        })
        return { task: name, version, seed, index, ...made }
      },
    }
  }
}

/**
 * What is left for filler.
 * @throws RangeError when the rest of a text is longer than it may be
 */
export function roomFor(words: number, needed: number): number {
  if (needed <= words) return words - needed
  return failOption(
    `the text needs ${needed} words and may have ${words}`,
    'raise length, or ask for fewer facts, questions or hops',
  )
}
