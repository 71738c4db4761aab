import type { KvDType } from '@trimkv/cache'
import {
  type CacheSettings,
  DecoderSession,
  type Model,
  type PolicyInput,
  resolveCacheOptions,
} from '@trimkv/engine'
import type { StudySetting, StudyText } from './study-texts.ts'

export interface StudyRun {
  readonly policy: PolicyInput
  /** Tokens per layer and head. */
  readonly budget: number
  /** Tokens that may wait beyond the budget for a cut; evicts after every token when absent. */
  readonly buffer?: number
  readonly setting: StudySetting
  /** Storage of keys and values. Default f32. */
  readonly kvDtype?: KvDType
}

/** Texts read side by side. */
const seatsAtOnce = 64

const argmax = (row: Float32Array): number => {
  let best = 0
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i
  return best
}

/**
 * Lets a model read texts under a policy and looks, at each place that only earlier text determines, whether the right
 * token is the most likely one. What the model says is not read back: the text goes on as written.
 * @returns per text and question, the share of its answer tokens that were right
 */
export async function readAnswers(
  model: Model,
  texts: readonly StudyText[],
  run: StudyRun & { readonly signal?: AbortSignal },
): Promise<number[][]> {
  const shares: number[][] = []
  for (let first = 0; first < texts.length; first += seatsAtOnce) {
    const part = texts.slice(first, first + seatsAtOnce)
    const right = await readPart(model, part, run)
    for (const [seat, { questions }] of part.entries()) {
      shares.push(
        questions.map((places) => places.filter((place) => right[seat]!.has(place)).length / places.length),
      )
    }
  }
  return shares
}

function settingsFor(model: Model, texts: readonly StudyText[], run: StudyRun): CacheSettings {
  const contextTokens = Math.max(...texts.map(({ ids }) => ids.length))
  const context = { spec: model.spec, hasGates: true, contextTokens, batch: texts.length }
  const mode =
    run.setting === 'query-aware'
      ? { chunk: 0 }
      : run.buffer === undefined
        ? { exact: true }
        : { buffer: run.buffer }
  const { policy, budget, kvDtype } = run
  return resolveCacheOptions({ policy, budget, ...mode, ...(kvDtype && { kvDtype }) }, context)
}

/** Places answered right, per text. */
async function readPart(
  model: Model,
  texts: readonly StudyText[],
  run: StudyRun & { readonly signal?: AbortSignal },
): Promise<Set<number>[]> {
  const length = Math.max(...texts.map(({ ids }) => ids.length))
  const settings = settingsFor(model, texts, run)
  using session = new DecoderSession(model, { ...settings, batch: texts.length, maxTokens: length })
  for (let seat = 0; seat < texts.length; seat++) session.begin(seat, length)
  const asked = texts.map(({ questions }) => new Set(questions.flat()))
  const last = Math.max(...texts.flatMap(({ questions }) => questions.flat()))
  const right = texts.map(() => new Set<number>())
  const vocab = model.spec.vocabSize
  // Texts that have ended read a filler, which nobody looks at.
  let at = Math.max((texts[0]!.cut ?? 0) - 1, 0)
  for (let isFirst = true; at < last; at++, isFirst = false) {
    const whole = isFirst && at > 0
    const { values } = await session.forward({
      ids: texts.map(({ ids }) => (whole ? ids.slice(0, at + 1) : [ids[at] ?? 0])),
      ...(whole && { whole }),
      output: { kind: asked.some((places) => places.has(at + 1)) ? 'last' : 'none' },
      signal: run.signal,
    })
    for (const [seat, places] of asked.entries()) {
      if (!places.has(at + 1)) continue
      const said = argmax(values.subarray(seat * vocab, (seat + 1) * vocab))
      if (said === texts[seat]!.ids[at + 1]) right[seat]!.add(at + 1)
    }
  }
  return right
}
