import { type Model, trace } from '@trimkv/engine'
import { countMoment, emptyCounts, type HeadCounts, type RetentionCounts } from './retention-stats.ts'
import type { StudyText } from './study-texts.ts'
import { classesOf, type WordClass, wordClasses } from './word-classes.ts'

/**
 * Reads texts one token at a time with exact eviction by the model's gates, and counts what each head holds after each
 * token, from the moment on at which twice the budget was read.
 */
export async function watchRetention(
  model: Model,
  texts: readonly StudyText[],
  { budget, signal }: { readonly budget: number; readonly signal: AbortSignal },
): Promise<RetentionCounts> {
  const { layers, kvHeads } = model.spec
  const heads = Array.from({ length: layers }, () => Array.from({ length: kvHeads }, emptyCounts))
  const read = Object.fromEntries(wordClasses.map((name) => [name, 0])) as Record<WordClass, number>
  let readTokens = 0
  const start = 2 * budget
  for (const { ids, sample } of texts) {
    const classes = classesOf(sample)
    const { kept, tensors } = await trace(model, ids.slice(0, start), {
      policy: 'trimkv',
      budget,
      exact: true,
      tensors: true,
      steps: ids.length - start + 1,
      force: ids.slice(start),
      signal,
    })
    addBetas(heads, tensors.get('log_beta')!.data)
    for (const [step, sets] of kept.entries()) {
      const seen = start + step
      for (const name of classes.slice(0, seen - 1)) read[name]++
      readTokens += seen
      for (const [layer, ofLayer] of sets.entries()) {
        for (const [head, positions] of ofLayer.entries()) {
          countMoment(heads[layer]![head]!, { positions, seen, budget, classes })
        }
      }
    }
  }
  return { budget, texts: texts.length, heads, read, readTokens }
}

/** @param logBeta [L, H, T] */
function addBetas(heads: readonly (readonly HeadCounts[])[], logBeta: Float32Array): void {
  const all = heads.flat()
  const length = logBeta.length / all.length
  for (const [index, counts] of all.entries()) {
    for (let at = 0; at < length; at++) counts.beta += Math.exp(logBeta[index * length + at]!)
    counts.tokens += length
  }
}
