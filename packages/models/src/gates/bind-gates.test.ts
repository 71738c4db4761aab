import { type GateKind, gateKinds } from '@trimkv/io'
import { describe, expect, it } from 'vitest'
import type { DecoderSpec } from '../decoder/decoder-spec.ts'
import { bindGates, gateWeights, storedGates } from './bind-gates.ts'

const spec = (sizes: Partial<DecoderSpec> = {}): DecoderSpec => ({
  family: 'qwen3',
  layers: 3,
  vocabSize: 50,
  hiddenSize: 24,
  intermediateSize: 40,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  normEps: 1e-6,
  rope: { kind: 'plain', theta: 10_000, rotaryDim: 8 },
  maxLength: 128,
  stored: {
    embedding: { name: 'embedding', shape: [50, 24] },
    layers: [],
    finalNorm: { name: 'norm', shape: [24] },
    head: { name: 'head', shape: [50, 24] },
  },
  ...sizes,
})

const toNames = { ops: { slice: (name: string) => name }, load: (_: unknown, name: string) => name }

function release(kind: GateKind, made = spec()) {
  const stored = gateWeights(storedGates(made, { kind, intermediateSize: 10 }))
  return {
    name: 'some-gates',
    tensors: new Map(stored.map(({ name, shape }) => [name, { dtype: 'bf16' as const, shape }])),
    config: {
      kind,
      intermediateSize: 10,
      baseModel: 'Org/Base-3L',
      memorySize: undefined,
      biasInit: undefined,
      raw: { num_hidden_layers: made.layers, hidden_size: made.hiddenSize },
    },
  }
}

const namesPerLayer: Record<GateKind, readonly string[]> = {
  rg: ['linear1.weight', 'linear1.bias', 'linear2.weight', 'bias'],
  rg2: ['linear1.weight', 'linear1.bias', 'linear2.weight', 'bias'],
  rg3: ['gate_proj.weight', 'up_proj.weight', 'down_proj.weight', 'bias'],
  rg10: ['linear1.weight', 'linear1.bias', 'linear2.weight', 'linear2.bias', 'linear3.weight', 'bias'],
}

describe.each(gateKinds)('%s gates', (kind) => {
  it('use every tensor of a release once, layer by layer', () => {
    const { gates, warning } = bindGates(release(kind), { spec: spec(), name: 'org/base-3l' }, toNames)
    const prefix = (layer: number) => `model.layers.${layer}.self_attn.retention_gate.`
    expect(gates.map((gate) => gateWeights([gate]).sort())).toEqual(
      [0, 1, 2].map((layer) => namesPerLayer[kind].map((name) => prefix(layer) + name).sort()),
    )
    expect(warning).toBeUndefined()
  })

  it('are refused for a model with other KV heads', () => {
    const model = { spec: spec({ kvHeads: 4 }), name: 'org/other' }
    expect(() => bindGates(release(kind), model, toNames)).toThrowError(
      expect.objectContaining({ code: 'TRIMKV_GATES_MISMATCH' }),
    )
  })
})

describe('binding gates', () => {
  it('tells what the gates were trained for and what the model has', () => {
    const model = { spec: spec({ layers: 2, hiddenSize: 16 }), name: 'org/small' }
    expect(() => bindGates(release('rg'), model, toNames)).toThrowError(
      expect.objectContaining({
        what: 'Gates do not fit this model',
        why: [
          'gates  some-gates were trained for Org/Base-3L (3 layers, d=24) as rg with 10 units',
          'model  org/small has 2 layers, d=16, 2 KV heads of 8',
          'model.layers.0.self_attn.retention_gate.linear1.weight is [10, 24], expected [10, 16]',
          'model.layers.1.self_attn.retention_gate.linear1.weight is [10, 24], expected [10, 16]',
          'model.layers.2.self_attn.retention_gate.linear1.weight [10, 24] has no place in this model',
          'model.layers.2.self_attn.retention_gate.linear1.bias [10] has no place in this model',
          'model.layers.2.self_attn.retention_gate.linear2.weight [2, 10] has no place in this model',
          'model.layers.2.self_attn.retention_gate.bias [2] has no place in this model',
        ],
      }),
    )
  })

  it('warns, and goes on, when only the name of the base model differs', () => {
    const { gates, warning } = bindGates(release('rg'), { spec: spec(), name: 'org/finetune' }, toNames)
    expect(gates).toHaveLength(3)
    expect(warning).toContain('Org/Base-3L')
    expect(warning).toContain('org/finetune')
  })

  it('knows a base model by the last part of its path', () => {
    const local = bindGates(release('rg'), { spec: spec(), name: '/models/Base-3L/' }, toNames)
    expect(local.warning).toBeUndefined()
  })
})
