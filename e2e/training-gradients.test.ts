import { loadModel, type Model } from '@trimkv/engine'
import { openSafetensors, readTensorData } from '@trimkv/io'
import { mapGate, storedGates } from '@trimkv/models'
import { scope } from '@trimkv/tensor'
import {
  type Batch,
  type CapacityLoss,
  createTrainable,
  type LearnedWeight,
  type Losses,
} from '@trimkv/trainer'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { goldenJson, goldenPath, goldenTensors } from './golden.ts'

const kinds = ['rg', 'rg10'] as const
const gateUnits = 40

type Recorded = { memory_size: number; cases: Record<string, Record<string, number>> }
const recorded: Recorded = goldenJson('training', 'golden.json')
const capacity = (scope: CapacityLoss['scope']): CapacityLoss => ({
  weight: 1,
  budget: recorded.memory_size,
  scope,
  form: 'code',
})

/** Each recorded loss as the terms that make it up. */
const losses: Record<string, Losses> = {
  kl: { kl: 'forward', ntp: false, combine: 'sum' },
  ntp: { ntp: true, combine: 'sum' },
  capacity: { ntp: false, combine: 'sum', capacity: capacity('head') },
  global_capacity: { ntp: false, combine: 'sum', capacity: capacity('global') },
  total: { kl: 'forward', ntp: true, combine: 'mean', capacity: capacity('head') },
}

async function recordedBatch(): Promise<Batch> {
  const golden = await goldenTensors('training', 'golden.safetensors')
  const ids = Int32Array.from(await golden.ids('input_ids'))
  const labels = Int32Array.from(await golden.ids('labels'))
  const length = ids.length / 2
  return {
    batch: 2,
    length,
    ids,
    labels,
    positions: ids.map((_, n) => n % length),
    starts: new Int32Array(ids.length),
    weights: Float32Array.from(labels, (label) => (label === -100 ? 0 : 1)),
  }
}

/** The recorded gates of one kind as tensors that learn. */
async function recordedGates(model: Model, kind: (typeof kinds)[number]) {
  const { tensors } = await openSafetensors(goldenPath('training', 'golden.safetensors'))
  const stored = storedGates(model.spec, { kind, intermediateSize: gateUnits })
  const learned: LearnedWeight[] = []
  const values = new Map<string, Float32Array>()
  for (const gate of stored) {
    const names: string[] = []
    mapGate(gate, ({ name }) => names.push(name))
    for (const name of names) values.set(name, await readTensorData(tensors.get(`${kind}.gates.${name}`)!))
  }
  const gates = stored.map((gate) =>
    mapGate(gate, ({ name, shape }) => {
      const tensor = model.device.tensor(values.get(name)!, { dtype: 'f32', shape })
      learned.push({ name, tensor })
      return tensor
    }),
  )
  return { gates, learned }
}

const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0)

describe.each(kinds)('training of %s gates', (kind) => {
  let model: Model
  let batch: Batch
  beforeAll(async () => {
    model = await loadModel(goldenPath('qwen3', 'hf'), { threads: 2 })
    batch = await recordedBatch()
  })
  afterAll(() => model[Symbol.dispose]())

  describe.each(Object.keys(losses))('%s', (name) => {
    it.each([
      { chunkRows: 512, recompute: false },
      { chunkRows: 40, recompute: true },
    ])('gives the recorded loss and gradients with %o', async (options) => {
      const golden = await goldenTensors('training', 'golden.safetensors')
      const { gates, learned } = await recordedGates(model, kind)
      const decoder = { ...model.decoder, gates }
      using trainable = createTrainable({
        device: model.device,
        decoder,
        learned,
        losses: losses[name]!,
        ...options,
      })
      const terms = await trainable.accumulate(batch, { first: true, scale: 1 })
      const expected = recorded.cases[kind]![name]!
      expect(Math.abs(terms.loss! - expected)).toBeLessThanOrEqual(1e-4 * Math.abs(expected))
      for (const parameter of trainable.parameters) {
        const want = await golden.floats(`${kind}.${name}.grad.${parameter.name}`)
        const got = scope(() => parameter.gradient.read())
        const error = want.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i]!)), 0)
        expect(error, parameter.name).toBeLessThanOrEqual(1e-3 * largest(want))
      }
      for (const { tensor } of learned) tensor[Symbol.dispose]()
    })
  })
})
