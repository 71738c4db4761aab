import { describe, expect, it } from 'vitest'
import { expectTrimError } from '../test/trim-error.ts'
import { parseModelConfig } from './model-config.ts'

const llama = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 300,
  max_position_embeddings: 4096,
}
const phi3 = { ...llama, model_type: 'phi3' }

const parse = (config: object) => parseModelConfig(JSON.parse(JSON.stringify(config)), 'config.json')

describe('rope', () => {
  const llama3 = {
    rope_type: 'llama3',
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 64,
  }
  const factors = { short_factor: Array(8).fill(1), long_factor: Array(8).fill(2) }
  const long = { ...phi3, original_max_position_embeddings: 512 }
  const withRope = (rope: object, base: object = llama) => ({ ...base, rope_scaling: rope })

  it('reads the newer form, with the base inside', () => {
    const { rope } = parse({ ...llama, rope_parameters: { ...llama3, rope_theta: 5e5 } })
    expect(rope).toMatchObject({ kind: 'llama3', theta: 5e5, factor: 8 })
    expect(parse({ ...llama, rope_parameters: { rope_type: 'default', rope_theta: 7e4 } }).rope).toEqual({
      kind: 'plain',
      theta: 7e4,
      rotaryDim: 16,
    })
    expect(parse({ ...llama, rope_parameters: { rope_theta: 7e4 }, rope_scaling: null }).rope.theta).toBe(7e4)
  })

  it('reads both spellings of the kind, and su for longrope', () => {
    expect(parse(withRope({ ...llama3, rope_type: undefined, type: 'llama3' })).rope.kind).toBe('llama3')
    expect(parse(withRope({ ...llama3, type: 'llama3' })).rope.kind).toBe('llama3')
    for (const type of ['longrope', 'su'])
      expect(parse(withRope({ type, ...factors }, long)).rope.kind).toBe('longrope')
    expect(parse(withRope({ rope_type: 'longrope', type: 'su', ...factors }, long)).rope.kind).toBe(
      'longrope',
    )
  })

  it('takes a given attention factor, and 1 for a length that is not extended', () => {
    const attentionFactor = (config: object) =>
      (parse(config).rope as { attentionFactor?: number }).attentionFactor
    expect(attentionFactor(withRope({ type: 'longrope', ...factors, attention_factor: 1.25 }, long))).toBe(
      1.25,
    )
    const shortened = { ...phi3, original_max_position_embeddings: 8192 }
    expect(attentionFactor(withRope({ type: 'longrope', ...factors }, shortened))).toBe(1)
    expect(attentionFactor(withRope({ type: 'longrope', ...factors }, phi3))).toBe(1)
    expect(attentionFactor(withRope({ type: 'longrope', ...factors, factor: 8 }, long))).toBe(
      Math.sqrt(1 + Math.log(8) / Math.log(512)),
    )
  })

  it('rotates a part of a phi3 head', () => {
    expect(parse({ ...phi3, partial_rotary_factor: 0.5 }).rope).toEqual({
      kind: 'plain',
      theta: 10_000,
      rotaryDim: 8,
    })
    const half = { short_factor: [1, 1, 1, 1], long_factor: [2, 2, 2, 2] }
    expect(
      parse({ ...withRope({ type: 'longrope', ...half }, long), partial_rotary_factor: 0.5 }).rope.rotaryDim,
    ).toBe(8)
  })

  it.each<[what: string, config: object, message: RegExp]>([
    ['yarn', withRope({ rope_type: 'yarn', factor: 4 }), /rope_type.*default, llama3 or longrope.*yarn/s],
    ['linear', withRope({ type: 'linear', factor: 4 }), /linear|rope_type/],
    ['a part of a llama head', { ...llama, partial_rotary_factor: 0.5 }, /partial_rotary_factor/],
    [
      'a rope per kind of layer',
      { ...llama, rope_parameters: { full_attention: { rope_theta: 1e4 } } },
      /one rope for all layers/,
    ],
  ])('does not exist here: %s', async (_, config, message) => {
    await expectTrimError(() => parse(config), 'TRIMKV_MODEL_UNSUPPORTED', message)
  })

  it.each<[what: string, config: object, message: RegExp]>([
    ['a scaling without a kind', withRope({ factor: 4 }), /rope_type/],
    ['two kinds', withRope({ ...llama3, type: 'longrope' }), /as rope_type says/],
    ['a scaling that is a list', { ...llama, rope_scaling: [] }, /rope_scaling/],
    ['a base of 0', { ...llama, rope_theta: 0 }, /rope_theta/],
    [
      'two bases',
      { ...llama, rope_theta: 1e4, rope_parameters: { rope_theta: 1e6 } },
      /rope_theta.*elsewhere/s,
    ],
    ['a factor of 0', withRope({ ...llama3, factor: 0 }), /factor/],
    ['no factor', withRope({ ...llama3, factor: undefined }), /factor/],
    ['equal frequency factors', withRope({ ...llama3, low_freq_factor: 4 }), /high_freq_factor/],
    [
      'no original length',
      withRope({ ...llama3, original_max_position_embeddings: undefined }),
      /original_max_position_embeddings/,
    ],
    [
      'too few factors',
      withRope({ type: 'longrope', ...factors, short_factor: [1] }, long),
      /short_factor.*8 factors/s,
    ],
    [
      'a factor of 0 among them',
      withRope({ type: 'longrope', ...factors, long_factor: [0, ...Array(7).fill(1)] }, long),
      /long_factor/,
    ],
    [
      'text among them',
      withRope({ type: 'longrope', ...factors, long_factor: Array(8).fill('1') }, long),
      /long_factor/,
    ],
    [
      'an attention factor below 0',
      withRope({ type: 'longrope', ...factors, attention_factor: -1 }, long),
      /attention_factor/,
    ],
    [
      'a factor that is not the ratio',
      withRope({ type: 'longrope', ...factors, factor: 4 }, long),
      /factor.*8, the ratio/s,
    ],
    [
      'an original length of 1',
      withRope({ type: 'longrope', ...factors, original_max_position_embeddings: 1 }, phi3),
      /original_max_position_embeddings/,
    ],
    ['an odd number of channels', { ...phi3, partial_rotary_factor: 0.32 }, /even number/],
    ['no channels', { ...phi3, partial_rotary_factor: 0 }, /even number/],
  ])('is refused: %s', async (_, config, message) => {
    await expectTrimError(() => parse(config), 'TRIMKV_CONFIG_INVALID', message)
  })
})
