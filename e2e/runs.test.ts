import {
  type CompareOptions,
  type Comparison,
  compare,
  loadModel,
  type Model,
  score,
  tokenLogProbs,
  trace,
} from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const text =
  'put key library . ida smiles . put stone kitchen . finn visits mill . put lamp hall . nia sings . find key library .'

let model: Model
let ids: number[]
beforeAll(async () => {
  model = await loadModel(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
  ids = (await model.tokenizer()).encode(text)
})
afterAll(() => model[Symbol.dispose]())

/** Log-probabilities of the next ids, from rows of logits. */
const logProbsOf = (logits: Float32Array, next: number[]): number[] => {
  const vocab = logits.length / next.length
  return next.map((id, row) => tokenLogProbs(logits.subarray(row * vocab, (row + 1) * vocab), id, 0).logProb)
}

function expectClose(actual: ArrayLike<number>, wanted: number[]): void {
  expect(actual.length).toBe(wanted.length)
  for (const [at, value] of wanted.entries()) expect(Math.abs(actual[at]! - value)).toBeLessThan(1e-4)
}

describe('score', () => {
  it('is the log-softmax of the logits of each token before', async () => {
    const { tensors } = await trace(model, ids.slice(0, -1), { policy: 'full', steps: 1, tensors: true })
    const wanted = logProbsOf(tensors.get('prefill_logits')!.data, ids.slice(1))
    for (const chunk of [0, 1, 6]) {
      const { logProbs, perplexity } = await score(model, text, { policy: 'full', chunk })
      expectClose(logProbs, wanted)
      expect(perplexity).toBeCloseTo(Math.exp(-wanted.reduce((a, b) => a + b, 0) / wanted.length), 3)
    }
  })

  it('evicts between chunks, and after every token when exact', async () => {
    const options = { policy: 'trimkv', budget: 6, exact: true }
    const steps = ids.length - 1
    const { tensors } = await trace(model, ids.slice(0, 1), {
      ...options,
      steps,
      force: ids.slice(1, -1),
      tensors: true,
    })
    const exact = await score(model, text, options)
    expectClose(exact.logProbs, logProbsOf(tensors.get('logits')!.data, ids.slice(1)))
    const full = await score(model, text, { policy: 'full' })
    expect(exact.perplexity).toBeGreaterThan(full.perplexity)
    expect(exact.report.meter.peakEntries).toBe(7)
    const chunked = await score(model, text, { policy: 'trimkv', budget: 6, buffer: 1, chunk: 5 })
    expect(chunked.report.meter.peakEntries).toBe(11)
  })
})

describe('compare', () => {
  const run = async (options: Partial<CompareOptions>): Promise<Comparison[]> => {
    const runs: Comparison[] = []
    for await (const comparison of compare(model, text.slice(0, -10), {
      policies: [],
      maxNewTokens: 6,
      ignoreEnd: true,
      ...options,
    }))
      runs.push(comparison)
    return runs
  }

  it('runs full first and measures the others against it', async () => {
    const runs = await run({ policies: ['full', 'streaming', 'trimkv'], budget: 500 })
    expect(runs.map(({ run }) => run.label)).toEqual(['full', 'streaming', 'trimkv'])
    for (const { run } of runs) expect(run.agreement).toBe(1)
  })

  it('counts agreement up to the first difference', async () => {
    const [full, streaming] = await run({ policies: ['streaming:sinks=1'], budget: 6, exact: true })
    const different = full!.run.ids.findIndex((id, at) => streaming!.run.ids[at] !== id)
    expect(different).toBeGreaterThanOrEqual(0)
    expect(streaming!.run.agreement).toBe(different / 6)
    expect(streaming!.run.usage.meter.peakEntries).toBe(7)
    for (const head of streaming!.run.kept.flat()) expect(head).toHaveLength(6)
  })

  it('feeds everyone the same text when the reference is forced', async () => {
    const policy = {
      policies: ['streaming', 'streaming:sinks=1'],
      budget: 6,
      exact: true,
      forceReference: true,
    }
    const [full, ...others] = await run(policy)
    const reference = full!.run.ids
    for (const { run } of others) {
      expect(run.ids).toHaveLength(reference.length)
      expect(run.agreement).toBe(reference.filter((id, at) => run.ids[at] === id).length / reference.length)
    }
    const prompt = full!.promptIds
    const forced = await trace(model, prompt, {
      policy: 'streaming',
      budget: 6,
      exact: true,
      steps: 6,
      force: reference,
    })
    expect(others[0]!.run.ids).toEqual(forced.tokens)
    expect(others[0]!.run.kept).toEqual(forced.kept.at(-1))
  })
})

describe('trace', () => {
  it('reads forced ids and reports the greedy ones', async () => {
    const free = await trace(model, ids, { policy: 'full', steps: 4 })
    const forced = await trace(model, ids, { policy: 'full', steps: 4, force: [9, 9, 9] })
    expect(forced.tokens[0]).toBe(free.tokens[0])
    const fed = await trace(model, [...ids, 9, 9, 9], { policy: 'full', steps: 1 })
    expect(forced.tokens[3]).toBe(fed.tokens[0])
  })

  it('records log β for every token read, also under policies that do not look at it', async () => {
    const options = { steps: 3, tensors: true, budget: 8, buffer: 1, chunk: 0 }
    const [trimkv, other] = [
      await trace(model, ids, { ...options, policy: 'trimkv' }),
      await trace(model, ids, { ...options, policy: 'full' }),
    ]
    expect(trimkv.tensors.get('log_beta')!.shape).toEqual([4, 2, ids.length + 2])
    const prompt = (data: Float32Array): number[] =>
      Array.from({ length: 8 }, (_, row) =>
        Array.from(data.subarray(row * (ids.length + 2), row * (ids.length + 2) + ids.length)),
      ).flat()
    expect(prompt(other.tensors.get('log_beta')!.data)).toEqual(prompt(trimkv.tensors.get('log_beta')!.data))
    expect(prompt(other.tensors.get('log_beta')!.data).every((value) => value < 0)).toBe(true)
  })

  it('records the ratings of the first eviction by position', async () => {
    const { kept, tensors } = await trace(model, ids, {
      policy: 'trimkv',
      budget: 8,
      buffer: 1,
      chunk: 0,
      steps: 2,
      tensors: true,
    })
    for (let layer = 0; layer < 4; layer++) {
      const { shape, data } = tensors.get(`scores.${layer}`)!
      expect(shape).toEqual([2, ids.length])
      for (let head = 0; head < 2; head++) {
        const row = data.subarray(head * ids.length, (head + 1) * ids.length)
        const best = Array.from(row.keys())
          .sort((a, b) => row[b]! - row[a]! || b - a)
          .slice(0, 8)
        expect(kept[0]![layer]![head]).toEqual(best.sort((a, b) => a - b))
      }
    }
  })
})
