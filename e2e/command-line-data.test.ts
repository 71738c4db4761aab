import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSafetensors, readTensorData } from '@trimkv/io'
import { referenceGatesDir as gates, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, describe, expect, it } from 'vitest'
import { run } from './command-line.ts'
import { goldenJson, goldenPath, goldenTensors, logitError } from './golden.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

const prompt =
  'put key library . ida smiles . put stone kitchen . finn visits mill . put lamp hall . nia sings . find key'

describe('compare', () => {
  const args = [
    'compare',
    referenceModelDir,
    '--gates',
    gates,
    '-p',
    prompt,
    '--budget',
    '8',
    '--exact',
    '--max-new',
    '2',
  ]

  it('shows what each policy answered and kept, and one table', async () => {
    const { code, stdout } = await run([
      ...args,
      '--policies',
      'streaming:sinks=2,trimkv,packages/trimkv/examples/my-policy.ts:recent=2',
    ])
    expect(code).toBe(0)
    expect(stdout).toMatch(/── full \(all heads\)\n\[<\|bos\|> put key/)
    expect(stdout).toMatch(/── streaming:sinks=2 \(layer 0, head 0\)\n\[<\|bos\|> put\] key library/)
    const table = stdout.trim().split('\n').slice(-6)
    expect(table[0]).toMatch(/^policy +peak entries +KV bytes +policy state +tokens\/s +agrees with full$/)
    expect(table.slice(2).map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ['full', '26'],
      ['streaming:sinks=2', '9'],
      ['trimkv', '9'],
      ['long-values:recent=2', '9'],
    ])
  })

  it('prints data, and forces the reference text when asked', async () => {
    const { stdout } = await run([...args, '--policies', 'streaming', '--force-reference', '--json'])
    const { promptIds, runs } = JSON.parse(stdout)
    expect(promptIds).toHaveLength(25)
    expect(runs.map((run: { label: string }) => run.label)).toEqual(['full', 'streaming'])
    expect(runs[1].ids).toHaveLength(runs[0].ids.length)
    expect(runs[1].kept[3][1]).toHaveLength(8)
  })

  it('refuses a policy file without a policy', async () => {
    const file = join(folder, 'no-policy.ts')
    writeFileSync(file, 'export const answer: number = 42\n')
    const refused = await run([...args, '--policies', file])
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/exports no policy[\s\S]*answer/),
    })
    expect(await run([...args, '--policies', './not-there.ts'])).toMatchObject({ code: 4 })
  })
})

describe('score', () => {
  it('prints the perplexity, or everything as data', async () => {
    const { stdout } = await run(['score', referenceModelDir, '-p', prompt, '--policy', 'full'])
    const perplexity = Number(/perplexity +([\d.]+)/.exec(stdout)?.[1])
    const data = JSON.parse(
      (await run(['score', referenceModelDir, '-p', prompt, '--policy', 'full', '--json'])).stdout,
    )
    expect(data.logProbs).toHaveLength(24)
    expect(data.perplexity).toBeCloseTo(perplexity, 3)
    const mean = data.logProbs.reduce((a: number, b: number) => a + b, 0) / 24
    expect(data.perplexity).toBeCloseTo(Math.exp(-mean), 6)
  })
})

describe('trace', () => {
  it('reproduces a recorded run, as JSON and tensors', async () => {
    const { runs } = goldenJson('trimkv-qwen3-rg', 'golden.json') as {
      runs: { tokens: number[]; kept_positions: unknown }[]
    }
    const golden = await goldenTensors('trimkv-qwen3-rg', 'golden.safetensors')
    const file = join(folder, 'trace.safetensors')
    const ids = join(folder, 'ids.json')
    const prompt = await golden.ids('input_ids')
    writeFileSync(ids, JSON.stringify(prompt))
    const gated = [
      'trace',
      goldenPath('qwen3', 'hf'),
      '--gates',
      goldenPath('trimkv-qwen3-rg', 'gates'),
      '--ids-file',
      ids,
    ]
    const { code, stdout } = await run([
      ...gated,
      '--policy',
      'trimkv',
      '--budget',
      '16',
      '--steps',
      '40',
      '--json',
      '--tensors',
      file,
    ])
    expect(code).toBe(0)
    const data = JSON.parse(stdout)
    expect(Object.keys(data)).toEqual(['tokens', 'kept', 'memory'])
    expect(data.tokens).toEqual(runs[0]!.tokens)
    expect(data.kept).toEqual(runs[0]!.kept_positions)
    expect(data.memory).toMatchObject({ entries: 16, peakEntries: 48, evictions: 71 })
    const { tensors } = await openSafetensors(file)
    for (const [ours, theirs] of [
      ['prefill_logits', 'run0.prefill_logits'],
      ['logits', 'run0.logits'],
      ['log_beta', 'run0.log_beta'],
    ] as const) {
      expect(tensors.get(ours)!.fileDtype).toBe('F32')
      expect(
        logitError(await readTensorData(tensors.get(ours)!), await golden.floats(theirs)),
        ours,
      ).toBeLessThanOrEqual(1)
    }
    expect([0, 1, 2].map((layer) => tensors.get(`scores.${layer}`)?.shape)).toEqual(Array(3).fill([2, 48]))
  })

  it('takes forced ids, chunks and the exact mode', async () => {
    const args = [
      'trace',
      goldenPath('qwen3', 'hf'),
      '--ids',
      '5,17,42,7,9,11',
      '--policy',
      'streaming:sinks=1',
      '--budget',
      '3',
      '--steps',
      '3',
      '--json',
    ]
    const kept = async (...more: string[]): Promise<number[][]> =>
      JSON.parse((await run([...args, ...more])).stdout).kept.map((step: number[][][]) => step[0]![0])
    expect(await kept()).toEqual([
      [0, 4, 5],
      [0, 5, 6],
      [0, 6, 7],
    ])
    expect(await kept('--exact')).toEqual([
      [0, 4, 5],
      [0, 5, 6],
      [0, 6, 7],
    ])
    expect(await kept('--buffer', '2', '--chunk', '4')).toEqual([
      [0, 4, 5],
      [0, 4, 5, 6],
      [0, 6, 7],
    ])
    const full = [
      'trace',
      goldenPath('qwen3', 'hf'),
      '--ids',
      '5,17,42',
      '--policy',
      'full',
      '--steps',
      '3',
      '--json',
    ]
    const free = JSON.parse((await run(full)).stdout)
    const forced = JSON.parse((await run([...full, '--force', `${free.tokens[0]},8`])).stdout)
    expect(forced.tokens.slice(0, 2)).toEqual(free.tokens.slice(0, 2))
    expect(await run([...full, '--force', '8'])).toMatchObject({ code: 2 })
  })
})

describe('inspect', () => {
  it('says what a model holds and what it takes', async () => {
    const { code, stdout } = await run([
      'inspect',
      referenceModelDir,
      '--gates',
      gates,
      '--budget',
      '32',
      '--exact',
      '--context',
      '1000',
    ])
    expect(code).toBe(0)
    expect(stdout).toMatch(/qwen3, 861\u2009440 parameters/)
    expect(stdout).toMatch(/full cache +1\.98 MiB +1\u2009000 tokens/)
    expect(stdout).toMatch(/bounded cache +67\.0 KiB +32 \+ 1 slots/)
    expect(stdout).toMatch(/gates +rg, 64 hidden units/)
    const data = JSON.parse((await run(['inspect', referenceModelDir, '--json', '--context', '1000'])).stdout)
    expect(data).toMatchObject({ kind: 'model', parameters: 861_440, cache: { context: 1000, slots: 640 } })
  })

  it('estimates what a run then takes', async () => {
    const flags = ['--budget', '8', '--buffer', '4', '--json']
    const { cache } = JSON.parse((await run(['inspect', referenceModelDir, ...flags])).stdout)
    const args = [
      'generate',
      referenceModelDir,
      '-p',
      prompt,
      '--policy',
      'streaming',
      '--max-new',
      '2',
      ...flags,
    ]
    const { usage } = JSON.parse((await run(args)).stdout)
    // Beside the slots there is a counter per head.
    expect(usage.meter.allocatedBytes).toBe(cache.budgetBytes + 4 * 2 * 4)
  })

  it('reads gates, safetensors and torch files', async () => {
    expect(JSON.parse((await run(['inspect', gates, '--json'])).stdout)).toMatchObject({
      kind: 'gates',
      variant: 'rg',
      trainedBudget: 16,
    })
    const file = JSON.parse(
      (await run(['inspect', join(referenceModelDir, 'model.safetensors'), '--json'])).stdout,
    )
    expect(file.tensors).toContainEqual({ name: 'model.norm.weight', dtype: 'F32', shape: [128] })
    expect(
      (await run(['inspect', goldenPath('recall-small', 'gates', 'trimkv_weights.pth')])).stdout,
    ).toMatch(/retention_gate\.bias +BF16 +\[2\]/)
    expect(await run(['inspect', join(folder, 'nothing.safetensors')])).toMatchObject({ code: 4 })
  })
})
