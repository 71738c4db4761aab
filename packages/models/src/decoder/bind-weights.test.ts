import type { ModelFamily } from '@trimkv/io'
import { type DType, TrimError } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import { tinyConfig } from '../../test/tiny-config.ts'
import { families, specOf } from '../families.ts'
import { bindWeights, storedWeights } from './bind-weights.ts'
import type { DecoderSpec } from './decoder-spec.ts'

type Entries = Map<string, { dtype: DType | undefined; shape: readonly number[]; fileDtype?: string }>

function checkpointOf(spec: DecoderSpec): Entries {
  return new Map(storedWeights(spec).map(({ name, shape }) => [name, { dtype: 'bf16', shape }]))
}

/** Binds to names: a tensor is its name, a slice its name and rows. */
const toNames = {
  ops: {
    slice: (name: string, { axis, start, length }: { axis: number; start: number; length: number }) =>
      `${name}[${axis}: ${start}+${length}]`,
  },
  load: (_: unknown, name: string) => name,
}

function mismatch(spec: DecoderSpec, entries: Entries): TrimError {
  try {
    bindWeights(spec, entries, toNames)
  } catch (error) {
    if (TrimError.isInstance(error)) return error
  }
  throw new Error('expected a TrimError')
}

describe.each(Object.keys(families) as ModelFamily[])('weights of %s', (family) => {
  const spec = specOf(tinyConfig(family))

  it('are loaded once each, and refused when one is missing or left over', () => {
    const entries = checkpointOf(spec)
    const loaded: string[] = []
    bindWeights(spec, entries, { ...toNames, load: (_, name) => loaded.push(name) && name })
    expect([...loaded].sort()).toEqual([...entries.keys()].sort())
    for (const name of entries.keys()) {
      const without = new Map(entries)
      without.delete(name)
      expect(mismatch(spec, without).why.join()).toContain(`${name} [`)
    }
    const extra = mismatch(
      spec,
      new Map([...entries, ['model.layers.0.extra.weight', { dtype: 'f32', shape: [2] }]]),
    )
    expect(extra.code).toBe('TRIMKV_WEIGHTS_MISMATCH')
    expect(extra.why.join()).toContain('model.layers.0.extra.weight')
  })
})

describe('binding weights', () => {
  it('takes q, k, v and gate, up of phi3 as rows of the stored tensors', () => {
    const [layer] = bindWeights(
      specOf(tinyConfig('phi3')),
      checkpointOf(specOf(tinyConfig('phi3'))),
      toNames,
    ).layers
    expect([layer!.query.weight, layer!.key.weight, layer!.value.weight, layer!.up.weight]).toEqual([
      'model.layers.0.self_attn.qkv_proj.weight[0: 0+32]',
      'model.layers.0.self_attn.qkv_proj.weight[0: 32+16]',
      'model.layers.0.self_attn.qkv_proj.weight[0: 48+16]',
      'model.layers.0.mlp.gate_up_proj.weight[0: 40+40]',
    ])
  })

  it('uses the embedding as head when tied, and ignores a copy of it and rotary buffers', () => {
    const spec = specOf(tinyConfig('llama', { tieWordEmbeddings: true }))
    const entries = checkpointOf(spec)
    entries.set('lm_head.weight', { dtype: 'bf16', shape: [50, 24] })
    entries.set('model.layers.1.self_attn.rotary_emb.inv_freq', { dtype: 'f32', shape: [4] })
    expect(bindWeights(spec, entries, toNames).head).toBe('model.embed_tokens.weight')
  })

  it('names the family, wrong shapes and wrong element types', () => {
    const spec = specOf(tinyConfig('qwen2'))
    const entries = checkpointOf(spec)
    entries.set('model.norm.weight', { dtype: 'f32', shape: [25] })
    entries.set('model.embed_tokens.weight', { dtype: undefined, fileDtype: 'I8', shape: [50, 24] })
    expect(mismatch(spec, entries).why).toEqual([
      'read as a qwen2 model of 2 layers',
      'model.embed_tokens.weight is I8, expected f32, bf16 or f16',
      'model.norm.weight is [25], expected [24]',
    ])
  })

  it('shows the first eight differences and counts the rest', () => {
    const spec = specOf(tinyConfig('qwen3'))
    const error = mismatch(spec, new Map())
    const total = storedWeights(spec).length
    expect(error.why).toHaveLength(1 + 8 + 1)
    expect(error.why.at(-1)).toBe(`and ${total - 8} more`)
    expect(error.details).toMatchObject({ family: 'qwen3', differences: { length: total } })
  })
})
