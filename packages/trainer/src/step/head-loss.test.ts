import { parseModelConfig } from '@trimkv/io'
import { specOf } from '@trimkv/models'
import { createDevice, type Tensor } from '@trimkv/tensor'
import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { headLoss } from './head-loss.ts'
import { initialWeights } from './initial-values.ts'

const config = {
  model_type: 'qwen3',
  vocab_size: 16,
  hidden_size: 64,
  intermediate_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 1,
  num_key_value_heads: 1,
  head_dim: 8,
  rope_theta: 10_000,
  tie_word_embeddings: false,
}

describe('headLoss', () => {
  const device = createDevice({ threads: 2 })
  const spec = specOf(parseModelConfig(config, 'config.json'))
  const { values: weights, learned } = initialWeights(device, spec, { std: 0.3, seed: 1 })
  afterAll(() => device[Symbol.dispose]())

  /** Losses and gradients of rows with both terms, `chunkRows` at a time. */
  function run(rows: number, chunkRows: number) {
    const random = seededRandom(1)
    const normal = (...shape: number[]): Tensor => {
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal())
      return device.tensor(values, { dtype: 'f32', shape })
    }
    const targets = Int32Array.from({ length: rows }, () => random.int(0, config.vocab_size - 1))
    const inputs = {
      hidden: normal(rows, config.hidden_size),
      teacher: normal(rows, config.hidden_size),
      targets: device.tensor(targets, { dtype: 'i32', shape: [rows] }),
      klGradient: normal(rows),
      ntpGradient: normal(rows),
    }
    const wrt = learned.filter(({ name }) => /^(lm_head|model\.norm)/.test(name)).map(({ tensor }) => tensor)
    const program = device.record((ops) =>
      headLoss(ops, { spec, weights }, { inputs, options: { kl: 'forward', chunkRows, wrt } }),
    )
    program.runSync()
    const { kl, ntp, hiddenGradient, gradients } = program.result
    const rowsOf = (chunks: readonly Tensor[]) => chunks.flatMap((chunk) => [...chunk.read()])
    return {
      bytes: program.bytes,
      perRow: [rowsOf(kl), rowsOf(ntp), [...hiddenGradient.read()]],
      gradients: gradients.map((gradient) => [...gradient!.read()]),
    }
  }

  it.each([1, 5, 16])('gives every row the same bits with %i rows at a time', (chunkRows) => {
    expect(run(33, chunkRows).perRow).toEqual(run(33, 33).perRow)
  })

  it('adds the gradients of weights over the chunks', () => {
    const [whole, chunked] = [run(33, 33).gradients, run(33, 5).gradients]
    expect(whole).toHaveLength(2)
    for (const [index, gradient] of whole.entries()) {
      for (const [i, value] of gradient.entries()) expect(chunked[index]![i]).toBeCloseTo(value, 3)
    }
  })

  it('takes memory in proportion to the rows', () => {
    expect(run(512, 8).bytes).toBeLessThan(2.2 * run(256, 8).bytes)
  })
})
