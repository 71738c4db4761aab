import { loadModel, type Model, trace } from '@trimkv/engine'
import { referenceModelDir } from '@trimkv/reference-model'
import { answerWords, type Sample, tasks } from '@trimkv/tasks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const samplesPerTask = 12

/** Answers of a sample that are the most likely word where they stand, under the full cache. */
async function rightAnswers(model: Model, sample: Sample): Promise<number> {
  const tokenizer = await model.tokenizer()
  const ids = tokenizer.encode(sample.words.join(' '))
  const lead = ids.length - sample.words.length // every word is one token; the begin token comes first
  const { tensors } = await trace(model, ids, { policy: 'full', steps: 1, tensors: true })
  const { data } = tensors.get('prefill_logits')!
  const { vocabSize } = model.spec
  return answerWords(sample).filter((word) => {
    const row = data.subarray((word + lead - 1) * vocabSize, (word + lead) * vocabSize)
    return row.every((logit) => logit <= row[ids[word + lead]!]!)
  }).length
}

describe('the bundled model answers freshly generated texts of the kinds it was trained on', () => {
  let model: Model
  beforeAll(async () => {
    model = await loadModel(referenceModelDir)
  })
  afterAll(() => model[Symbol.dispose]())

  it.each([
    [
      'recall',
      tasks.recall({ setting: 'interleaved', facts: 8, questions: 14, length: { targetWords: 240 } }),
      0.8,
    ],
    ['chain', tasks.chain({ setting: 'interleaved', length: { targetWords: 240 } }), 0.95],
    ['code', tasks.code({ setting: 'interleaved', length: { targetWords: 240 } }), 0.9],
  ] as const)('%s', async (_, task, least) => {
    let right = 0
    let answers = 0
    for (let seed = 0; seed < samplesPerTask; seed++) {
      const sample = task.sample(seed)
      right += await rightAnswers(model, sample)
      answers += answerWords(sample).length
    }
    expect(answers).toBeGreaterThan(5 * samplesPerTask)
    expect(right / answers).toBeGreaterThanOrEqual(least)
  })
})
