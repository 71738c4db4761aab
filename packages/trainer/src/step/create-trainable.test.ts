import { parseModelConfig } from '@trimkv/io'
import { type DecoderSpec, specOf } from '@trimkv/models'
import { createDevice, type Device } from '@trimkv/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Batch } from '../batch.ts'
import { AdamW } from '../run/adamw.ts'
import { createTrainable } from './create-trainable.ts'
import { initialGates, initialWeights } from './initial-values.ts'
import type { Losses } from './losses.ts'

const vocabulary = 24

const spec: DecoderSpec = specOf(
  parseModelConfig(
    {
      model_type: 'qwen3',
      vocab_size: vocabulary,
      hidden_size: 32,
      intermediate_size: 48,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 8,
      rope_theta: 10_000,
      tie_word_embeddings: true,
    },
    'config.json',
  ),
)

/** Rows that say a short sequence again and again; what comes first cannot be known, and has no label. */
function repeatingBatch(seed: number, { rows = 4, length = 24, period = 4 } = {}): Batch {
  const ids = Int32Array.from({ length: rows * length }, (_, n) => {
    const row = Math.floor(n / length)
    return (seed * 31 + row * 17 + ((n % length) % period) * (5 + row)) % vocabulary
  })
  const isKnown = (n: number): boolean => n % length >= period
  return {
    batch: rows,
    length,
    ids,
    positions: ids.map((_, n) => n % length),
    starts: new Int32Array(ids.length),
    labels: ids.map((id, n) => (isKnown(n) ? id : -100)),
    weights: Float32Array.from(ids, (_, n) => (isKnown(n) ? 1 : 0)),
  }
}

const gateLosses: Losses = {
  kl: 'forward',
  ntp: true,
  combine: 'mean',
  capacity: { weight: 1, budget: 6, scope: 'head', form: 'code' },
}

const adamw = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, clipNorm: null }

function gateTrainable(device: Device, losses: Losses = gateLosses) {
  const model = initialWeights(device, spec, { std: 0.2, seed: 1 })
  const gates = initialGates(device, spec, { kind: 'rg', intermediateSize: 8, bias: 4, std: 0.2, seed: 1 })
  return createTrainable({
    device,
    decoder: { spec, weights: model.values, gates: gates.values },
    learned: gates.learned,
    losses,
  })
}

describe('createTrainable', () => {
  let device: Device
  beforeAll(() => {
    device = createDevice({ threads: 2 })
  })
  afterAll(() => device[Symbol.dispose]())

  it('makes the loss of a two-layer model fall', { timeout: 20_000 }, async () => {
    const { values, learned } = initialWeights(device, spec, { std: 0.1, seed: 1 })
    const losses: Losses = { ntp: true, combine: 'sum' }
    using trainable = createTrainable({ device, decoder: { spec, weights: values }, learned, losses })
    using optimiser = new AdamW(device, trainable.parameters, adamw)
    const history: number[] = []
    for (let step = 1; step <= 150; step++) {
      const { loss } = await trainable.accumulate(repeatingBatch(step), { first: true, scale: 1 })
      history.push(loss!)
      await optimiser.step({ step, learningRate: 0.01 })
    }
    expect(history[0]).toBeGreaterThan(2.5)
    expect(history.at(-1)).toBeLessThan(0.5)
  })

  it('gives the same bits for any number of threads', async () => {
    const runs: number[][] = []
    for (const threads of [1, 2, 3, 7]) {
      using own = createDevice({ threads })
      using trainable = gateTrainable(own)
      const { loss } = await trainable.accumulate(repeatingBatch(1), { first: true, scale: 1 })
      runs.push([loss!, ...trainable.parameters.flatMap(({ gradient }) => Array.from(gradient.read()))])
    }
    for (const run of runs) expect(run).toEqual(runs[0])
  })

  it('adds gradients of micro-batches, each times its scale', async () => {
    using trainable = gateTrainable(device)
    const gradients = () => trainable.parameters.flatMap(({ gradient }) => Array.from(gradient.read()))
    await trainable.accumulate(repeatingBatch(1), { first: true, scale: 0.5 })
    const once = gradients()
    await trainable.accumulate(repeatingBatch(1), { first: false, scale: 0.5 })
    const twice = gradients()
    const largest = Math.max(...twice.map(Math.abs))
    expect(largest).toBeGreaterThan(0)
    for (const [i, value] of twice.entries())
      expect(Math.abs(value - 2 * once[i]!)).toBeLessThan(1e-5 * largest)
  })

  it('has loss 0 and no gradient where no token is labelled and the row is shorter than the budget', async () => {
    using trainable = gateTrainable(device, {
      ...gateLosses,
      capacity: { weight: 1, budget: 64, scope: 'head', form: 'code' },
    })
    const batch = repeatingBatch(1)
    const terms = await trainable.accumulate(
      { ...batch, labels: batch.labels.map(() => -100), weights: batch.weights.map(() => 0) },
      { first: true, scale: 1 },
    )
    expect(terms).toMatchObject({ loss: 0, kl: 0, ntp: 0, capacity: 0 })
    for (const { gradient } of trainable.parameters)
      expect(gradient.read().every((value) => value === 0)).toBe(true)
  })

  it('does not predict across documents of a row', async () => {
    using trainable = gateTrainable(device)
    const batch = repeatingBatch(1, { rows: 1, length: 24 })
    const packed: Batch = {
      ...batch,
      positions: batch.positions.map((at) => at % 12),
      starts: batch.starts.map((_, n) => (n < 12 ? 0 : 12)),
      labels: batch.labels.map((label, n) => (n % 12 === 0 ? 1 : label)),
      weights: batch.weights.map((weight, n) => (n % 12 === 0 ? 1e6 : weight)),
    }
    const other = { ...packed, labels: packed.labels.map((label, n) => (n % 12 === 0 ? 2 : label)) }
    const { ntp } = await trainable.evaluate(packed, {})
    expect((await trainable.evaluate(other, {})).ntp).toBe(ntp)
  })

  it('tells what the model says right of what it is asked', async () => {
    using trainable = gateTrainable(device)
    const { accuracy } = await trainable.evaluate(repeatingBatch(1), {})
    expect(accuracy).toBeGreaterThanOrEqual(0)
    expect(accuracy).toBeLessThanOrEqual(1)
  })

  it('refuses losses about gates for a model without them', () => {
    const { values, learned } = initialWeights(device, spec, { std: 0.1, seed: 1 })
    expect(() =>
      createTrainable({ device, decoder: { spec, weights: values }, learned, losses: gateLosses }),
    ).toThrow(/about gates/)
  })

  it('leaves no tensors behind', async () => {
    using own = createDevice({ threads: 1 })
    const model = initialWeights(own, spec, { std: 0.2, seed: 1 })
    const before = own.liveTensors()
    const trainable = createTrainable({
      device: own,
      decoder: { spec, weights: model.values },
      learned: model.learned,
      losses: { ntp: true, combine: 'sum' },
    })
    await trainable.accumulate(repeatingBatch(1), { first: true, scale: 1 })
    await trainable.evaluate(repeatingBatch(1, { rows: 2 }), {})
    trainable[Symbol.dispose]()
    expect(own.liveTensors()).toBe(before)
  })
})
