import type { ModelConfig, ModelFamily } from '@trimkv/io'

/** A configuration with every size different, small enough for the f64 reference. */
export const tinyConfig = (family: ModelFamily, changes: Partial<ModelConfig> = {}): ModelConfig => ({
  family,
  hiddenSize: 24,
  intermediateSize: 40,
  numLayers: 2,
  numHeads: 4,
  numKvHeads: 2,
  headDim: 8,
  vocabSize: 50,
  maxPositions: 128,
  rmsNormEps: 1e-6,
  hiddenAct: 'silu',
  tieWordEmbeddings: false,
  attentionBias: { q: false, k: false, v: false, o: false },
  mlpBias: false,
  qkNorm: family === 'qwen3',
  rope: { kind: 'plain', theta: 10_000, rotaryDim: 8 },
  eosTokenIds: [],
  bosTokenId: undefined,
  padTokenId: undefined,
  raw: {},
  ...changes,
})
