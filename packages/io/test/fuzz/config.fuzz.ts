import { type FuzzTarget, fuzzTarget, mutateJson, pick } from '@trimkv/testing'
import { parseGatesConfig } from '../../src/gates-checkpoint.ts'
import { readGenerationConfig } from '../../src/generation-config.ts'
import { readJsonObject } from '../../src/json-file.ts'
import { readModelConfig } from '../../src/model-config.ts'
import { goldenText } from './golden-text.ts'

const folders = ['qwen3', 'qwen2', 'llama', 'llama-plain', 'phi3', 'phi3-longrope', 'qwen3-untied']
const published = JSON.parse(goldenText('configs.json')) as Record<string, { config?: unknown }>
const models = [
  ...folders.map((name) => goldenText(`${name}/hf/config.json`)),
  ...Object.values(published).flatMap(({ config }) => (config ? [JSON.stringify(config)] : [])),
]
const gates = ['qwen3-rg', 'qwen3-rg2', 'qwen3-rg3', 'llama-rg', 'phi3-rg'].map((name) =>
  goldenText(`trimkv-${name}/gates/config.json`),
)
const generation = [
  ...folders.map((name) => goldenText(`${name}/hf/generation_config.json`)),
  JSON.stringify({
    do_sample: true,
    temperature: 0.6,
    top_p: 0.95,
    top_k: 20,
    eos_token_id: [1, 2],
    pad_token_id: 0,
  }),
]

export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/io/src/model-config.ts',
    'packages/io/src/config-fields.ts',
    'packages/io/src/rope-config.ts',
    'packages/io/src/sliding-window.ts',
    'packages/io/src/generation-config.ts',
    'packages/io/src/gates-checkpoint.ts',
  ],
  createCase(random) {
    const kind = random.next()
    if (kind < 0.15) {
      const files = { 'generation_config.json': mutateJson(random, pick(random, generation)) }
      return { files, run: async (folder) => void (await readGenerationConfig(folder)) }
    }
    if (kind < 0.3) {
      const files = { 'config.json': mutateJson(random, pick(random, gates)) }
      const run = async (folder: string): Promise<void> => {
        const file = `${folder}/config.json`
        parseGatesConfig(await readJsonObject(file), file)
      }
      return { files, run }
    }
    const files = { 'config.json': mutateJson(random, pick(random, models)) }
    return { files, run: async (folder) => void (await readModelConfig(folder)) }
  },
})
