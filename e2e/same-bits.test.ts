import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Policy, policies } from '@trimkv/cache'
import { generateBatch, loadModel, type Model, type TraceOptions, trace } from '@trimkv/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { goldenPath, goldenTensors } from './golden.ts'
import { policyFiles } from './policy-files.ts'

const steps = 6
const gatesOf: Readonly<Record<string, string>> = {
  qwen3: 'trimkv-qwen3-rg2',
  llama: 'trimkv-llama-rg',
  phi3: 'trimkv-phi3-rg',
}

const load = (name: string, threads = 2): Promise<Model> =>
  loadModel(goldenPath(name, 'hf'), {
    threads,
    ...(gatesOf[name] && { gates: goldenPath(gatesOf[name], 'gates') }),
  })

const promptOf = async (name: string): Promise<number[]> =>
  (await (await goldenTensors(name, 'golden.safetensors')).ids('input_ids')).slice(0, 60)

async function logits(model: Model, ids: number[], options: Partial<TraceOptions>): Promise<Float32Array[]> {
  const { tensors } = await trace(model, ids, { steps, tensors: true, ...options })
  return [tensors.get('prefill_logits')!.data, tensors.get('logits')!.data]
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'same-bits-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** When a policy can act. */
function whensOf({ options }: Policy): readonly string[] {
  const { when } = options
  return when?.type === 'choice' ? when.choices : []
}

describe.each(['qwen3', 'qwen2', 'llama', 'phi3'])('%s', (name) => {
  it('gives the same bits as full under every policy whose budget is never reached', async () => {
    using model = await load(name)
    const ids = await promptOf(name)
    const full = await logits(model, ids, { policy: 'full' })
    const names = Object.keys(policies).filter(
      (policy) => policy !== 'full' && (!policy.endsWith('trimkv') || gatesOf[name]),
    )
    // A threshold drops tokens however much room there is, unless nothing is below it.
    const filesOf = await policyFiles(model, { folder, ids, threshold: -1e9 })
    for (const policy of names) {
      for (const when of whensOf(policies[policy as keyof typeof policies])) {
        const files = filesOf(policy)
        const chosen = `${policy}${files === '' ? ':' : `${files},`}when=${when}`
        // One cut after the whole prompt is the same in both modes, and exact reads token by token.
        const modes = when === 'decode' ? [{ buffer: 3 }, { exact: true }] : [{ buffer: 3 }]
        for (const mode of modes) {
          const bits = await logits(model, ids, { policy: chosen, budget: 66, ...mode })
          expect(bits, `${chosen} ${JSON.stringify(mode)}`).toEqual(full)
        }
      }
    }
  })

  it('gives the same bits for every chunk length and number of threads', async () => {
    const ids = await promptOf(name)
    const runs: Float32Array[][] = []
    for (const threads of [1, 2]) {
      using model = await load(name, threads)
      for (const chunk of [0, 1, 7, 32]) runs.push(await logits(model, ids, { policy: 'full', chunk }))
    }
    for (const run of runs) expect(run).toEqual(runs[0])
  })
})

describe('a batch', () => {
  const collect = async (
    model: Model,
    prompts: number[][],
    options: object,
  ): Promise<Map<number, unknown[]>> => {
    const tokens = new Map<number, unknown[]>(prompts.map((_, index) => [index, []]))
    const input = prompts.map((ids) => ({ ids }))
    for await (const event of generateBatch(model, input, {
      maxNewTokens: 20,
      logProbs: 2,
      chunk: 16,
      ...options,
    })) {
      if (event.type === 'token') tokens.get(event.index)!.push([event.id, event.logProb, event.top])
    }
    return tokens
  }

  it.each([
    ['full', {}],
    ['trimkv buffered', { policy: 'trimkv', budget: 12, buffer: 4 }],
    ['trimkv exact', { policy: 'trimkv', budget: 12, exact: true, chunk: 1 }],
    ['snapkv', { policy: 'snapkv:window=4,kernel=3', budget: 12, buffer: 4 }],
    ['h2o sampled', { policy: 'h2o', budget: 12, buffer: 4, temperature: 1, seed: 3 }],
    ['snapkv once', { policy: 'snapkv:window=4,when=prefill', budget: 8, chunk: 0 }],
  ])('of different lengths gives each sequence what it gets alone: %s', async (_, options) => {
    using model = await load('qwen3')
    const ids = await promptOf('qwen3')
    const prompts = [ids.slice(0, 9), ids.slice(5, 52), ids.slice(20, 21), ids.slice(30, 60)]
    const together = await collect(model, prompts, options)
    for (const [index, prompt] of prompts.entries()) {
      const alone = await collect(model, [prompt], options)
      expect(together.get(index), `prompt ${index}`).toEqual(alone.get(0))
      expect(alone.get(0)!.length).toBeGreaterThan(0)
    }
  })
})
