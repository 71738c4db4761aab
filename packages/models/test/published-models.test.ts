import { readFileSync } from 'node:fs'
import type { KvCache } from '@trimkv/cache'
import { parseModelConfig } from '@trimkv/io'
import { countingOps, shapeOnly, type TensorLike } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import { storedGates } from '../src/gates/bind-gates.ts'
import {
  bindWeights,
  decoderForward,
  estimateMemory,
  gateParameters,
  mapGate,
  mapWeights,
  modelShape,
  ropeParameters,
  specOf,
} from '../src/index.ts'
import { goldenPath } from './golden-model.ts'

interface Published {
  readonly config: Readonly<Record<string, unknown>>
  readonly parameters: number
  readonly tensors: number
  readonly gate_rg_m512_parameters: number
  readonly kv_elements_per_token: number
}

const published: Record<string, Published> = JSON.parse(readFileSync(goldenPath('configs.json'), 'utf8'))
const gateConfig = { kind: 'rg', intermediateSize: 512 } as const
const shapesOnlyCache: KvCache<TensorLike> = { needs: { logBeta: true }, attend: (_, { q }) => q }

describe.each(Object.entries(published))('%s', (name, expected) => {
  const spec = specOf(parseModelConfig(expected.config, name))

  it('has the published number of parameters, tensors, gate parameters and KV elements', () => {
    expect(modelShape(spec)).toEqual({
      parameters: expected.parameters,
      tensors: expected.tensors,
      kvElementsPerToken: expected.kv_elements_per_token,
    })
    expect(gateParameters(spec, gateConfig)).toBe(expected.gate_rg_m512_parameters)
  })

  it('runs with every shape in its place', () => {
    const { ops } = countingOps()
    const entries = new Map<string, { dtype: 'bf16'; shape: readonly number[] }>()
    mapWeights(spec.stored, ({ name, shape }) => entries.set(name, { dtype: 'bf16', shape }))
    const weights = bindWeights(spec, entries, { ops, load: shapeOnly })
    const gates = storedGates(spec, gateConfig).map((gate) =>
      mapGate(gate, ({ shape }) => shapeOnly({ dtype: 'bf16', shape })),
    )
    const tokens = shapeOnly({ dtype: 'i32', shape: [6] })
    const half = ropeParameters(spec.rope, 3).invFreq.length
    const inputs = {
      ids: tokens,
      positions: tokens,
      batch: 2,
      invFreq: shapeOnly({ dtype: 'f32', shape: [2, half] }),
      ropeScale: 1,
    }
    const run = { inputs, cache: shapesOnlyCache, logits: 'last' as const }
    const result = decoderForward(ops, { spec, weights, gates }, run)
    expect(result.logits?.shape).toEqual([2, spec.vocabSize])
    expect(result.hidden.shape).toEqual([6, spec.hiddenSize])
    expect(result.logBeta.map(({ shape }) => shape)).toEqual(Array(spec.layers).fill([2, 3, spec.kvHeads]))
  })
})

describe('memory', () => {
  it('of a bounded cache does not depend on the context, of a full one it does', () => {
    const spec = specOf(parseModelConfig(published['Qwen3-4B']!.config, 'Qwen3-4B'))
    const at = (slots: number) =>
      estimateMemory(spec, { weightDtype: 'bf16', kvDtype: 'bf16', slots, batch: 2 })
    // 36 layers × 8 heads × (2 × 128 numbers of 2 bytes and an index of 4)
    expect(at(512 + 128)).toEqual({
      weightBytes: 4_022_468_096 * 2,
      kvBytes: 2 * 640 * 36 * 8 * (2 * 128 * 2 + 4),
    })
    expect(at(32_768).kvBytes / at(640).kvBytes).toBeCloseTo(51.2, 10)
  })
})
