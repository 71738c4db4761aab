import { tasks } from '@trimkv/tasks'
import type { TaskStage } from '../data/task-stage.ts'
import type { GateRecipe } from './gate-recipe.ts'
import { mixedTexts, repeatedWords } from './reference-texts.ts'
import type { ModelRecipe } from './train-model.ts'
import { type TokenizerFiles, wordTokenizer } from './word-tokenizer.ts'

/** Every word that recall, chain and code texts have, from enough texts to meet them all. */
function referenceWords(): string[] {
  const words = new Set<string>()
  for (let index = 0; index < 400; index++) {
    const samples = [
      tasks.recall({ setting: 'question-first' }),
      tasks.chain({ setting: 'interleaved' }),
      tasks.code(),
    ].map((task) => task.sample(1, index))
    for (const word of samples.flatMap((sample) => sample.words)) words.add(word)
  }
  return [...words].sort()
}

const words = referenceWords()

/** The tokenizer of the reference model: each word of its texts is one token. */
export const referenceTokenizer = (): TokenizerFiles => wordTokenizer(words)

const vocabularyOf = (files: TokenizerFiles): number => {
  const { model, added_tokens: added } = files['tokenizer.json'] as {
    model: { vocab: object }
    added_tokens: unknown[]
  }
  return Object.keys(model.vocab).length + added.length
}

/** A small model on recall, chain and code: its size and how it is trained. */
export function referenceRecipe(files: TokenizerFiles): ModelRecipe {
  const vocabSize = vocabularyOf(files)
  const layers = 4
  return {
    source:
      'this project: a curriculum from repeated random sequences over short, dense texts to long, noisy ones',
    config: {
      architectures: ['Qwen3ForCausalLM'],
      model_type: 'qwen3',
      vocab_size: vocabSize,
      hidden_size: 128,
      intermediate_size: 384,
      num_hidden_layers: layers,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 32,
      rms_norm_eps: 1e-6,
      rope_theta: 100_000,
      max_position_embeddings: 1_048_576,
      tie_word_embeddings: true,
      hidden_act: 'silu',
      attention_bias: false,
      use_sliding_window: false,
      initializer_range: 0.02,
      bos_token_id: vocabSize - 2,
      eos_token_id: vocabSize - 1,
      torch_dtype: 'float32',
    },
    initial: { std: 0.02, residualStd: 0.02 / Math.sqrt(2 * layers), headNormGain: 1.5 },
    training: {
      steps: referenceSteps,
      learningRate: { peak: 1.5e-3, warmupSteps: 150, decay: { kind: 'cosine', floor: 1.5e-4 } },
      weightDecay: 0.05,
      betas: [0.9, 0.98],
      clipNorm: 1,
    },
    seed: 1,
    chunkRows: 512,
  }
}

const onAnswers = { answerWeight: 1, otherWeight: 0.1 } as const

/** Batches grow from 2048 tokens to 4096, texts from 32 words to 1024, noise from none to nine tenths. */
export const referenceStages: readonly TaskStage[] = [
  {
    ...onAnswers,
    batches: 300,
    rows: 32,
    length: 64,
    mixture: [
      ...repeatedWords(words, 0.7),
      ...mixedTexts({ words: 31, noise: 'dense', share: 0.15 }),
      ...mixedTexts({ words: 63, noise: 'dense', share: 0.15 }),
    ],
  },
  {
    ...onAnswers,
    batches: 300,
    rows: 16,
    length: 128,
    mixture: [
      ...repeatedWords(words, 0.1),
      ...mixedTexts({ words: 31, noise: 'noisy', share: 0.2 }),
      ...mixedTexts({ words: 63, noise: 'noisy', share: 0.45 }),
      ...mixedTexts({ words: 127, noise: 'noisy', share: 0.25 }),
    ],
  },
  {
    ...onAnswers,
    batches: 300,
    rows: 16,
    length: 256,
    mixture: [
      ...mixedTexts({ words: 63, noise: 'noisy', share: 0.25 }),
      ...mixedTexts({ words: 127, noise: 'noisy', share: 0.5 }),
      ...mixedTexts({ words: 255, noise: 'noisy', share: 0.25 }),
    ],
  },
  {
    ...onAnswers,
    rows: 4,
    length: 1024,
    mixture: [
      ...mixedTexts({ words: 127, noise: 'noisy', share: 0.1 }),
      ...mixedTexts({ words: 255, noise: 'noisy', share: 0.65 }),
      ...mixedTexts({ words: 511, noise: 'noisy', share: 0.15 }),
      ...mixedTexts({ words: 1023, noise: 'noisy', share: 0.1 }),
    ],
  },
]

const referenceSteps = 1800

/** Gates of the reference model, for sixteen slots per head. */
export const referenceGateRecipe: GateRecipe = {
  source:
    'this project: the losses of TRIM-KV (arXiv:2512.03324), a bias near the decay that the budget asks for',
  gate: { kind: 'rg', intermediateSize: 64, bias: 6 },
  losses: {
    kl: 'forward',
    klRows: 'targets',
    ntp: true,
    combine: 'mean',
    capacity: { weight: 1, budget: 16, scope: 'head', form: 'code' },
  },
  length: 256,
  rows: 8,
  packing: true,
  minCharacters: 0,
  training: {
    steps: 400,
    learningRate: { peak: 5e-3, warmupSteps: 20, decay: { kind: 'cosine', floor: 1e-4 } },
    weightDecay: 0.01,
    betas: [0.9, 0.98],
    clipNorm: 1,
  },
  seed: 1,
  chunkRows: 512,
  recompute: false,
}

/** Texts as long as those the budget is meant for; most ask when all facts have passed. */
export const referenceGateStages: readonly TaskStage[] = [
  {
    // Gates learn what lasts from the answers alone: with a tenth of the weight elsewhere they keep far less of it.
    answerWeight: 1,
    otherWeight: 0,
    rows: referenceGateRecipe.rows,
    length: referenceGateRecipe.length,
    mixture: mixedTexts({
      words: referenceGateRecipe.length - 1,
      noise: 'noisy',
      share: 1,
      // About what the budget can hold: from texts with more, gates learn to give up.
      factsAtMost: { recall: 8, chain: 5, code: 2 },
      settings: {
        oneOf: [
          'stream',
          'stream',
          'stream',
          'stream',
          'stream',
          'stream',
          'stream',
          'interleaved',
          'interleaved',
          'question-first',
        ],
      },
    }),
  },
]
