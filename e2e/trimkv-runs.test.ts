import { loadModel, type Model, trace } from '@trimkv/engine'
import { describe, expect, it } from 'vitest'
import { goldenJson, goldenPath, goldenTensors, logitError } from './golden.ts'

interface Run {
  readonly dynamic?: true
  readonly memory_size: number
  readonly buffer_size: number
  readonly strategy: string
  readonly floor_budget_ratio?: number
  readonly tokens: number[]
  readonly kept_positions: number[][][][]
}

/** A run with its place among those that are recorded under the same prefix. */
interface Recorded extends Run {
  readonly index: number
  readonly tensors: string
}

/** The dynamic runs share one budget over heads; their tensors are numbered among themselves. */
const numbered = (runs: readonly Run[]): Recorded[] =>
  [false, true].flatMap((dynamic) =>
    runs
      .filter((run) => (run.dynamic ?? false) === dynamic)
      .map((run, index) => ({ ...run, index, tensors: `${dynamic ? 'dyn' : 'run'}${index}` })),
  )

function policyOf({ dynamic, strategy }: Run): string {
  if (!dynamic) return `trimkv:score=${strategy}`
  const score = strategy.replace('layer_wise_', '')
  return `dbtrimkv:score=${score},scope=${score === strategy ? 'model' : 'layer'}`
}

/** The released code run on tiny models, but for the run whose floor counts winners for the wrong head. */
const releases = ['qwen3-rg', 'qwen3-rg2', 'qwen3-rg3', 'llama-rg', 'phi3-rg'].map((name) => {
  const folder = `trimkv-${name}`
  const { base, runs } = goldenJson(folder, 'golden.json') as { base: string; runs: Run[] }
  return { folder, base, runs: numbered(runs).filter((run) => !run.floor_budget_ratio) }
})

const load = (folder: string, base: string): Promise<Model> =>
  loadModel(goldenPath(base, 'hf'), { gates: goldenPath(folder, 'gates'), threads: 2 })

describe.each(releases)('$folder', ({ folder, base, runs }) => {
  it.each(runs)('$tensors: M $memory_size, b $buffer_size, $strategy', async (run) => {
    const { memory_size, buffer_size, tokens, kept_positions } = run
    const golden = await goldenTensors(folder, 'golden.safetensors')
    const ids = await golden.ids('input_ids')
    using model = await load(folder, base)
    const result = await trace(model, ids, {
      policy: policyOf(run),
      budget: memory_size,
      buffer: buffer_size,
      chunk: 0,
      steps: tokens.length,
      tensors: true,
    })
    expect(result.tokens).toEqual(tokens)
    expect(result.kept).toEqual(kept_positions)
    const error = async (ours: string, theirs: string) =>
      logitError(result.tensors.get(ours)!.data, await golden.floats(`${run.tensors}.${theirs}`))
    // Of the dynamic runs the prompt's logits are not recorded.
    if (!run.dynamic) expect(await error('prefill_logits', 'prefill_logits')).toBeLessThanOrEqual(1)
    expect(await error('logits', 'logits')).toBeLessThanOrEqual(1)
    expect(await error('log_beta', 'log_beta')).toBeLessThanOrEqual(1)
  })
})
