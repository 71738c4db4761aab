import { readFile } from 'node:fs/promises'
import { DecoderSession, type Model, resolveCacheOptions } from '@trimkv/engine'
import { goldenPath } from './golden.ts'

/** A text of the recorded model's test file. */
export interface TestText {
  readonly task: 'recall' | 'chain' | 'code'
  readonly ids: readonly number[]
  /** Indices into `ids` that can only be known from earlier text. */
  readonly answers: readonly number[]
}

/** All texts of the test file. */
export async function readTestTexts(): Promise<TestText[]> {
  const lines = (await readFile(goldenPath('recall-small', 'test.jsonl'), 'utf8')).trim().split('\n')
  return lines.map((line) => JSON.parse(line) as TestText)
}

const argmax = (row: Float32Array): number =>
  row.reduce((best, value, i) => (value > row[best]! ? i : best), 0)

export interface Accuracy {
  readonly right: number
  readonly answers: number
  readonly share: number
}

/**
 * Share of answers that are the most likely token where they stand. All texts are read side by side, one token at a
 * time with exact eviction; texts that have ended read a filler, which nobody looks at.
 */
export async function answerAccuracy(
  model: Model,
  texts: readonly TestText[],
  run: { readonly policy: string; readonly budget: number },
): Promise<Accuracy> {
  const batch = texts.length
  const length = Math.max(...texts.map(({ ids }) => ids.length))
  const context = { spec: model.spec, hasGates: true, contextTokens: length, batch }
  const settings = resolveCacheOptions({ ...run, exact: true }, context)
  using session = new DecoderSession(model, { ...settings, batch, maxTokens: length })
  for (let seat = 0; seat < batch; seat++) session.begin(seat, length)
  let right = 0
  for (let at = 0; at + 1 < length; at++) {
    const asked = texts.map(({ answers }) => answers.includes(at + 1))
    const kind = asked.includes(true) ? 'last' : 'none'
    const { values } = await session.forward({
      ids: texts.map(({ ids }) => [ids[at] ?? 0]),
      output: { kind },
    })
    for (const [seat, { ids }] of texts.entries()) {
      const row = values.subarray(seat * model.spec.vocabSize, (seat + 1) * model.spec.vocabSize)
      if (asked[seat] && argmax(row) === ids[at + 1]) right++
    }
  }
  const answers = texts.reduce((sum, text) => sum + text.answers.length, 0)
  return { right, answers, share: right / answers }
}
