import { loadModel, type Model, trace } from '@trimkv/engine'
import { describe, expect, it } from 'vitest'
import { goldenJson, goldenPath, goldenTensors, logitError } from './golden.ts'

interface Run {
  readonly dynamic?: true
  readonly memory_size: number
  readonly buffer_size: number
  readonly strategy: string
  readonly tokens: number[]
  readonly kept_positions: number[][][][]
}

/** The released code run on tiny models; the dynamic runs share one budget over heads, which is another policy. */
const releases = ['qwen3-rg', 'qwen3-rg2', 'qwen3-rg3', 'llama-rg', 'phi3-rg'].map((name) => {
  const folder = `trimkv-${name}`
  const { base, runs } = goldenJson(folder, 'golden.json') as { base: string; runs: Run[] }
  return { folder, base, runs: runs.filter((run) => !run.dynamic) }
})

const load = (folder: string, base: string): Promise<Model> =>
  loadModel(goldenPath(base, 'hf'), { gates: goldenPath(folder, 'gates'), threads: 2 })

describe.each(releases)('$folder', ({ folder, base, runs }) => {
  it.each(runs.map((run, index) => ({ ...run, index })))(
    'run $index: M $memory_size, b $buffer_size, $strategy',
    async ({ index, memory_size, buffer_size, strategy, tokens, kept_positions }) => {
      const golden = await goldenTensors(folder, 'golden.safetensors')
      const ids = await golden.ids('input_ids')
      using model = await load(folder, base)
      const result = await trace(model, ids, {
        policy: `trimkv:score=${strategy}`,
        budget: memory_size,
        buffer: buffer_size,
        chunk: 0,
        steps: tokens.length,
        tensors: true,
      })
      expect(result.tokens).toEqual(tokens)
      expect(result.kept).toEqual(kept_positions)
      const error = async (ours: string, theirs: string) =>
        logitError(result.tensors.get(ours)!.data, await golden.floats(`run${index}.${theirs}`))
      expect(await error('prefill_logits', 'prefill_logits')).toBeLessThanOrEqual(1)
      expect(await error('logits', 'logits')).toBeLessThanOrEqual(1)
      expect(await error('log_beta', 'log_beta')).toBeLessThanOrEqual(1)
    },
  )
})
