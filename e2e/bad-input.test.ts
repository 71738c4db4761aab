import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { definePolicy, hostScore } from '@trimkv/cache'
import {
  type GenerateOptions,
  generate,
  loadModel,
  type Model,
  type Prompt,
  score,
  trace,
} from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { goldenPath } from './golden.ts'

let model: Model
beforeAll(async () => {
  model = await loadModel(goldenPath('qwen3', 'hf'), { threads: 2 })
})
afterAll(() => model[Symbol.dispose]())

const ids = (n: number): { ids: number[] } => ({ ids: Array.from({ length: n }, (_, i) => i + 3) })

/** A policy whose ratings are one too few. */
const shortScores = definePolicy({
  name: 'short-scores',
  source: 'this test',
  phases: ['decode'],
  options: {},
  parts: () => ({ score: hostScore({ score: (view, head) => new Float32Array(view.length(head) - 1) }) }),
})

const cases: [string, Prompt, GenerateOptions, string, RegExp][] = [
  ['an id beyond the vocabulary', { ids: [5, 300] }, {}, 'TRIMKV_TOKEN_RANGE', /300[\s\S]*299/],
  ['a negative id', { ids: [-1] }, {}, 'TRIMKV_TOKEN_RANGE', /-1/],
  ['half an id', { ids: [1.5] }, {}, 'TRIMKV_TOKEN_RANGE', /1\.5/],
  ['an empty prompt', { ids: [] }, {}, 'TRIMKV_OPTION', /no tokens/],
  ['text without a tokenizer', 'hello', {}, 'TRIMKV_NOT_FOUND', /tokenizer\.json/],
  ['stop strings without a tokenizer', ids(3), { stop: ['x'] }, 'TRIMKV_NOT_FOUND', /tokenizer\.json/],
  ['a conversation without a template', { messages: [] }, {}, 'TRIMKV_TEMPLATE', /chat template/],
  ['a policy that needs gates', ids(3), { policy: 'trimkv' }, 'TRIMKV_GATES_MISMATCH', /gates/],
  ['a policy nobody knows', ids(3), { policy: 'snapkw' }, 'TRIMKV_OPTION', /snapkv/],
  ['an option nobody knows', ids(3), { policy: 'snapkv:windw=3' }, 'TRIMKV_OPTION', /window/],
  ['a budget in words', ids(3), { budget: '512k tokens' }, 'TRIMKV_OPTION', /512/],
  [
    'a budget of nothing',
    ids(3),
    { policy: 'streaming', budget: 0 },
    'TRIMKV_BUDGET_TOO_SMALL',
    /smallest valid budget is 5/,
  ],
  [
    'a budget its protected tokens fill',
    ids(3),
    { policy: 'snapkv', budget: 8 },
    'TRIMKV_BUDGET_TOO_SMALL',
    /9/,
  ],
  ['a buffer of nothing', ids(3), { policy: 'streaming', buffer: 0 }, 'TRIMKV_OPTION', /buffer/],
  ['a chunk below zero', ids(3), { chunk: -1 }, 'TRIMKV_OPTION', /chunk/],
  [
    'a chunk for a policy of whole prompts',
    ids(9),
    { policy: 'snapkv:when=prefill', budget: 80, chunk: 4 },
    'TRIMKV_OPTION',
    /whole prompt/,
  ],
  ['no new tokens', ids(3), { maxNewTokens: 0 }, 'TRIMKV_OPTION', /maxNewTokens/],
  ['a sequence past the limit', ids(3), { maxNewTokens: 4095 }, 'TRIMKV_POSITION_LIMIT', /4094/],
  ['positions past the limit', ids(3), { positionOffset: 4095 }, 'TRIMKV_POSITION_LIMIT', /4096/],
  ['a temperature below zero', ids(3), { temperature: -1 }, 'TRIMKV_OPTION', /temperature/],
  [
    'ratings of the wrong number',
    ids(40),
    { policy: shortScores, budget: 8, buffer: 2, chunk: 4 },
    'TRIMKV_POLICY_CONTRACT',
    /short-scores/,
  ],
]

describe('generate', () => {
  it.each(cases)('refuses %s and frees what it took', async (_, prompt, options, code, message) => {
    const before = model.device.liveTensors()
    const answer = generate(model, prompt, { maxNewTokens: 4, ...options }).result()
    await expect(answer).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    expect(model.device.liveTensors()).toBe(before)
  })

  it('goes past the limit when told to', async () => {
    const { ids: answer } = await generate(model, ids(3), {
      positionOffset: 5000,
      beyondLimit: true,
      maxNewTokens: 4,
      ignoreEnd: true,
    }).result()
    expect(answer).toHaveLength(4)
  })

  it('keeps working after a refusal', async () => {
    await expect(generate(model, { ids: [999] }, {}).result()).rejects.toMatchObject({
      code: 'TRIMKV_TOKEN_RANGE',
    })
    expect((await generate(model, ids(3), { maxNewTokens: 2 }).result()).ids.length).toBeGreaterThan(0)
  })
})

describe('other runs', () => {
  it('refuse a text of one token, and a policy that cannot score', async () => {
    await expect(score(model, ids(1))).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
    await expect(score(model, ids(9), { policy: 'snapkv:when=prefill', budget: 80 })).rejects.toMatchObject({
      code: 'TRIMKV_OPTION',
    })
  })

  it('refuse a trace of nothing and one with too few forced ids', async () => {
    await expect(trace(model, [], { steps: 2 })).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
    await expect(trace(model, [5], { steps: 4, force: [1, 2] })).rejects.toMatchObject({
      code: 'TRIMKV_OPTION',
    })
  })
})

describe('loadModel', () => {
  it.each([
    ['a folder that is not there', goldenPath('nowhere'), {}, 'TRIMKV_NOT_FOUND'],
    ['a folder without a model', goldenPath('training'), {}, 'TRIMKV_NOT_FOUND'],
    [
      'gates of another model',
      goldenPath('qwen3-untied', 'hf'),
      { gates: goldenPath('trimkv-qwen3-rg', 'gates') },
      'TRIMKV_GATES_MISMATCH',
    ],
    [
      'gates that are a model',
      goldenPath('qwen3', 'hf'),
      { gates: referenceModelDir },
      'TRIMKV_CONFIG_INVALID',
    ],
  ])('refuses %s', async (_, dir, options, code) => {
    await expect(loadModel(dir, options)).rejects.toMatchObject({ code })
  })

  it('rejects with the reason of an aborted signal', async () => {
    const reason = new Error('enough')
    await expect(loadModel(referenceModelDir, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  it('warns when gates name another base model than the one that was downloaded', async () => {
    const root = mkdtempSync(join(tmpdir(), 'trimkv-'))
    try {
      const load = async (name: string): Promise<readonly string[]> => {
        const snapshot = join(root, `models--org--${name}`, 'snapshots', 'abc')
        cpSync(referenceModelDir, snapshot, { recursive: true })
        using gated = await loadModel(snapshot, { gates: referenceGatesDir })
        return gated.warnings
      }
      expect(await load('other')).toEqual([expect.stringMatching(/reference[\s\S]*org\/other/)])
      expect(await load('reference')).toEqual([])
    } finally {
      rmSync(root, { recursive: true })
    }
  })
})
