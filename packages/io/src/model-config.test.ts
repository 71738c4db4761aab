import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { parseModelConfig, readModelConfig } from './model-config.ts'
import { openCheckpoint } from './safetensors.ts'

const folder = useTemporaryFolder()

const qwen3 = {
  model_type: 'qwen3',
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 32,
  vocab_size: 300,
  max_position_embeddings: 4096,
}
const qwen2 = { ...qwen3, model_type: 'qwen2', head_dim: undefined }
const llama = { ...qwen2, model_type: 'llama' }
const phi3 = { ...qwen2, model_type: 'phi3' }

const parse = (config: object) => parseModelConfig(JSON.parse(JSON.stringify(config)), 'config.json')

describe('readModelConfig', () => {
  it('reads qwen3', async () => {
    const { raw, ...config } = await readModelConfig(goldenPath('qwen3/hf'))
    expect(config).toEqual({
      family: 'qwen3',
      hiddenSize: 64,
      intermediateSize: 160,
      numLayers: 3,
      numHeads: 4,
      numKvHeads: 2,
      headDim: 32,
      vocabSize: 300,
      maxPositions: 4096,
      rmsNormEps: 1e-6,
      hiddenAct: 'silu',
      tieWordEmbeddings: true,
      attentionBias: { q: false, k: false, v: false, o: false },
      mlpBias: false,
      qkNorm: true,
      rope: { kind: 'plain', theta: 1e6, rotaryDim: 32 },
      eosTokenIds: [2],
      bosTokenId: 1,
      padTokenId: 0,
    })
    expect(raw.initializer_range).toBe(0.15)
  })

  it('reads qwen2: biases on q, k and v only, head size from the width', async () => {
    const config = await readModelConfig(goldenPath('qwen2/hf'))
    expect(config.attentionBias).toEqual({ q: true, k: true, v: true, o: false })
    expect(config).toMatchObject({ headDim: 16, qkNorm: false, rope: { theta: 10_000, rotaryDim: 16 } })
  })

  it('reads llama3 rope scaling', async () => {
    const config = await readModelConfig(goldenPath('llama/hf'))
    expect(config.rope).toEqual({
      kind: 'llama3',
      theta: 500_000,
      rotaryDim: 16,
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 64,
    })
  })

  it('reads longrope, with its attention factor from the two lengths', async () => {
    const { rope } = await readModelConfig(goldenPath('phi3-longrope/hf'))
    expect(rope).toMatchObject({ kind: 'longrope', rotaryDim: 16, originalMaxPositions: 32 })
    expect(rope).toHaveProperty('attentionFactor', Math.sqrt(1 + Math.log(256 / 32) / Math.log(32)))
    expect(rope).toHaveProperty('longFactor', [1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5])
  })

  it('reads the published shapes, and their weights would have the published number', () => {
    const published: Record<string, { config: object; parameters: number; kv_elements_per_token: number }> =
      JSON.parse(readFileSync(goldenPath('configs.json'), 'utf8'))
    expect(Object.keys(published)).toHaveLength(8)
    for (const [name, { config: raw, parameters, kv_elements_per_token }] of Object.entries(published)) {
      const c = parse(raw)
      expect(2 * c.numLayers * c.numKvHeads * c.headDim, name).toBe(kv_elements_per_token)
      const attention = c.hiddenSize * c.headDim * (2 * c.numHeads + 2 * c.numKvHeads)
      const layer =
        attention + 3 * c.hiddenSize * c.intermediateSize + 2 * c.hiddenSize + (c.qkNorm ? 2 * c.headDim : 0)
      const embeddings = c.vocabSize * c.hiddenSize * (c.tieWordEmbeddings ? 1 : 2)
      expect(c.numLayers * layer + embeddings + c.hiddenSize, name).toBe(parameters)
    }
  })

  it.each(['qwen3', 'qwen3-untied', 'qwen2', 'llama', 'llama-plain', 'phi3', 'phi3-longrope'])(
    'agrees with the weights of %s',
    async (name) => {
      const config = await readModelConfig(goldenPath(`${name}/hf`))
      const { tensors } = await openCheckpoint(goldenPath(`${name}/hf`))
      expect(tensors.get('model.embed_tokens.weight')?.shape).toEqual([config.vocabSize, config.hiddenSize])
      expect(tensors.has('lm_head.weight')).toBe(!config.tieWordEmbeddings)
      const layer = `model.layers.${config.numLayers - 1}.self_attn`
      expect(tensors.get(`${layer}.o_proj.weight`)?.shape).toEqual([
        config.hiddenSize,
        config.numHeads * config.headDim,
      ])
      expect(tensors.has(`${layer}.q_proj.bias`)).toBe(config.attentionBias.q)
      expect(tensors.has(`${layer}.q_norm.weight`)).toBe(config.qkNorm)
      expect(tensors.has(`model.layers.${config.numLayers}.self_attn.o_proj.weight`)).toBe(false)
    },
  )

  it('reads a small model', async () => {
    expect(await readModelConfig(goldenPath('recall-small'))).toMatchObject({
      family: 'qwen3',
      numLayers: 4,
      headDim: 32,
    })
  })

  it('names a missing or cut file', async () => {
    await expectTrimError(
      () => readModelConfig(folder.folder({})),
      'TRIMKV_NOT_FOUND',
      /config\.json does not exist/,
    )
    const cut = folder.folder({ 'config.json': '{"model_type": "qw' })
    await expectTrimError(() => readModelConfig(cut), 'TRIMKV_FORMAT', /JSON/)
  })
})

describe('what a file may leave out', () => {
  it('falls back to what the class of the family does', () => {
    expect(parse({ ...qwen3, head_dim: undefined }).headDim).toBe(128)
    expect(parse({ ...llama, num_key_value_heads: null }).numKvHeads).toBe(4)
    expect(parse(llama)).toMatchObject({
      rmsNormEps: 1e-6,
      tieWordEmbeddings: false,
      mlpBias: false,
      eosTokenIds: [],
    })
    expect(parse(phi3)).toMatchObject({ rmsNormEps: 1e-5, rope: { theta: 10_000 } })
  })

  it('reads the bias flags of a family that has them, for all projections at once', () => {
    const all = { q: true, k: true, v: true, o: true }
    expect(parse({ ...llama, attention_bias: true, mlp_bias: true })).toMatchObject({
      attentionBias: all,
      mlpBias: true,
    })
    expect(parse({ ...qwen3, attention_bias: true }).attentionBias).toEqual(all)
    expect(parse({ ...phi3, attention_bias: true, mlp_bias: true })).toMatchObject({
      attentionBias: { q: false, k: false, v: false, o: false },
      mlpBias: false,
    })
  })

  it('takes one end token or several, and -1 for no padding', () => {
    expect(parse({ ...llama, eos_token_id: [7, 9], pad_token_id: -1 })).toMatchObject({
      eosTokenIds: [7, 9],
      padTokenId: undefined,
    })
    expect(parse({ ...llama, eos_token_id: 7 }).eosTokenIds).toEqual([7])
  })

  it('does not look at fields that change nothing', () => {
    expect(
      parse({ ...llama, pretraining_tp: 2, use_cache: 'yes', torch_dtype: 'float64', future: { a: 1 } })
        .family,
    ).toBe('llama')
  })
})

describe('a sliding window', () => {
  const off = { use_sliding_window: false, sliding_window: 128 }
  const on = { use_sliding_window: true, sliding_window: 128, max_window_layers: 1 }
  const all = (type: string) => ({ layer_types: [type, type, type] })

  it.each<[what: string, config: object]>([
    ['is switched off', { ...qwen2, ...off }],
    ['begins after the last layer', { ...qwen2, ...on, max_window_layers: 3 }],
    ['is in no layer of the list', { ...qwen3, ...on, ...all('full_attention') }],
    [
      'is as long as the longest text',
      { ...qwen3, ...on, sliding_window: 4096, ...all('sliding_attention') },
    ],
    ['has no length', { ...qwen2, ...on, sliding_window: null }],
    ['is as long as the longest text (phi3)', { ...phi3, sliding_window: 4096 }],
    ['is null (phi3)', { ...phi3, sliding_window: null }],
    ['is not read by the family', { ...llama, sliding_window: 16 }],
  ])('is accepted when it %s', (_, config) => {
    expect(parse(config).maxPositions).toBe(4096)
  })

  it.each<[what: string, config: object, field: RegExp]>([
    ['cuts in some layers', { ...qwen2, ...on }, /sliding_window\s.*4096/s],
    [
      'cuts in layers by default',
      { ...qwen2, ...on, max_window_layers: undefined, num_hidden_layers: 29 },
      /sliding_window/,
    ],
    [
      'cuts in a listed layer',
      { ...qwen3, ...on, layer_types: ['full_attention', 'full_attention', 'sliding_attention'] },
      /sliding_window/,
    ],
    ['is listed but not described', { ...qwen3, ...off, ...all('sliding_attention') }, /layer_types/],
    ['is listed for a family that has none', { ...llama, ...all('sliding_attention') }, /layer_types/],
    ['is another kind of layer', { ...qwen3, ...all('linear_attention') }, /layer_types/],
    [
      'is that of Phi-3-mini-4k',
      { ...phi3, sliding_window: 2047 },
      /sliding_window.*at least max_position_embeddings 4096.*2047/s,
    ],
    [
      'is that of phi3 behind a list',
      { ...phi3, sliding_window: 2047, ...all('full_attention') },
      /sliding_window/,
    ],
  ])('is refused when it %s', async (_, config, field) => {
    await expectTrimError(() => parse(config), 'TRIMKV_MODEL_UNSUPPORTED', field)
  })

  it('wants one layer type per layer', async () => {
    await expectTrimError(
      () => parse({ ...qwen3, layer_types: ['full_attention'] }),
      'TRIMKV_CONFIG_INVALID',
      /3 entries/,
    )
    await expectTrimError(
      () => parse({ ...qwen3, layer_types: 'full_attention' }),
      'TRIMKV_CONFIG_INVALID',
      /a list/,
    )
  })
})

describe('a configuration that is refused', () => {
  it.each<[what: string, config: object, message: RegExp]>([
    ['another family', { ...llama, model_type: 'gemma2' }, /model_type.*qwen3, qwen2, llama, phi3.*gemma2/s],
    ['a family named like a prototype', { ...llama, model_type: 'constructor' }, /model_type/],
    ['another activation', { ...llama, hidden_act: 'gelu' }, /hidden_act.*silu.*gelu/s],
    ['quantised weights', { ...llama, quantization_config: { bits: 4 } }, /quantization_config/],
  ])('%s', async (_, config, message) => {
    await expectTrimError(() => parse(config), 'TRIMKV_MODEL_UNSUPPORTED', message)
  })

  it.each<[what: string, config: object, message: RegExp]>([
    ['no family', { ...llama, model_type: undefined }, /model_type.*a value/s],
    ['no width', { ...llama, hidden_size: undefined }, /hidden_size/],
    [
      'no key heads in a family that always has them',
      { ...qwen3, num_key_value_heads: undefined },
      /num_key_value_heads/,
    ],
    ['no layers', { ...llama, num_hidden_layers: 0 }, /num_hidden_layers.*from 1 to 4096.*0/s],
    ['a negative vocabulary', { ...llama, vocab_size: -1 }, /vocab_size/],
    ['a huge width', { ...llama, hidden_size: 1e12 }, /hidden_size/],
    ['half a head', { ...llama, num_attention_heads: 1.5 }, /num_attention_heads/],
    ['a size in text', { ...llama, intermediate_size: '160' }, /intermediate_size.*"160"/s],
    [
      'heads that do not divide the width',
      { ...llama, num_attention_heads: 3, num_key_value_heads: 3 },
      /divisor of hidden_size/,
    ],
    [
      'key heads that do not divide the heads',
      { ...llama, num_key_value_heads: 3 },
      /divisor of num_attention_heads 4/,
    ],
    ['an epsilon of 0', { ...llama, rms_norm_eps: 0 }, /rms_norm_eps/],
    ['a flag in text', { ...llama, tie_word_embeddings: 'true' }, /tie_word_embeddings.*true or false/s],
    ['an end token below 0', { ...llama, eos_token_id: [-7] }, /eos_token_id/],
    ['an end token in text', { ...llama, eos_token_id: '</s>' }, /eos_token_id/],
    ['no positions', { ...llama, max_position_embeddings: 0 }, /max_position_embeddings/],
  ])('%s', async (_, config, message) => {
    const error = await expectTrimError(() => parse(config), 'TRIMKV_CONFIG_INVALID', message)
    expect(error.details).toMatchObject({ file: 'config.json' })
  })
})
