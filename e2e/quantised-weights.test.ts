import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadModel, type Model, quantiseModel, trace } from '@trimkv/engine'
import { openCheckpoint } from '@trimkv/io'
import { referenceModelDir } from '@trimkv/reference-model'
import { relativeError } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { answerAccuracy, readTestTexts } from './answer-accuracy.ts'
import { goldenPath } from './golden.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-quantised-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function logitsOf(model: Model): Promise<Float32Array> {
  const ids = Array.from({ length: 96 }, (_, i) => (i * i * 7 + i * 37 + 11) % 570)
  const run = await trace(model, ids, { policy: 'full', steps: 1, tensors: true })
  return run.tensors.get('prefill_logits')!.data as Float32Array
}

/** Recorded: 0.0067 and 0.068, with room for another instruction set. A step of q4 is 16 times one of q8. */
const logitErrors = { q8: 0.009, q4: 0.09 } as const
/** Recorded share of 822 recall answers; in f32 it is 0.898. */
const recallShares = { q8: 0.894, q4: 0.881 } as const
const slack = 0.01

describe.each(['q8', 'q4'] as const)('weights in %s', (weights) => {
  it('of the bundled model give nearly its logits', async () => {
    const out = join(folder, `reference-${weights}`)
    const seen: number[] = []
    const result = await quantiseModel(referenceModelDir, out, {
      weights,
      onProgress: ({ done, total }) => seen.push(done / total),
    })
    expect(seen.at(-1)).toBeCloseTo(1, 6)
    expect(result.kept).toEqual([])
    expect(readdirSync(out).sort()).toEqual(
      ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'].sort(),
    )
    const { tensors } = await openCheckpoint(out)
    expect(tensors.get('model.embed_tokens.weight')).toMatchObject({ dtype: weights, shape: [575, 128] })
    expect(tensors.get('model.norm.weight')!.dtype).toBe('f32')
    using exact = await loadModel(referenceModelDir)
    using model = await loadModel(out)
    expect(model.readBytes).toBe(0)
    const error = relativeError(await logitsOf(model), await logitsOf(exact))
    expect(error).toBeLessThanOrEqual(logitErrors[weights])
    expect(error).toBeGreaterThan(logitErrors[weights] / 10)
  })

  it('answer as many questions', async () => {
    const out = join(folder, `recall-${weights}`)
    await quantiseModel(goldenPath('recall-small'), out, { weights })
    using model = await loadModel(out, { gates: goldenPath('recall-small', 'gates') })
    const texts = (await readTestTexts()).filter(({ task }) => task === 'recall')
    const { share } = await answerAccuracy(model, texts, { policy: 'full', budget: 512 })
    expect(Math.abs(share - recallShares[weights])).toBeLessThanOrEqual(slack)
  })

  it('are not made of quantised weights, nor beside the model itself', async () => {
    const out = join(folder, `reference-${weights}`)
    await expect(quantiseModel(out, join(folder, 'again'), { weights })).rejects.toThrow(/quantised already/)
    await expect(quantiseModel(referenceModelDir, referenceModelDir, { weights })).rejects.toThrow(
      /holds the model/,
    )
  })

  it('leave nothing behind when stopped', async () => {
    const controller = new AbortController()
    const out = join(folder, `stopped-${weights}`)
    const options = {
      weights,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    }
    await expect(quantiseModel(referenceModelDir, out, options)).rejects.toThrow(/enough/)
    expect(
      readdirSync(out).filter(
        (name) => /safetensors|tmp|config\.json$/.test(name) && name !== 'tokenizer_config.json',
      ),
    ).toEqual([])
  })
})
