import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type GenerateEvent,
  type GenerateOptions,
  generate,
  generateBatch,
  loadModel,
  type Model,
  type Prompt,
} from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { goldenPath } from './golden.ts'

const prompt =
  'put key library . ida smiles . put stone kitchen . finn visits mill . put lamp hall . nia sings . find key'

let model: Model
beforeAll(async () => {
  model = await loadModel(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
})
afterAll(() => model[Symbol.dispose]())

async function eventsOf(options: GenerateOptions, text = prompt): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = []
  for await (const event of generate(model, text, options)) events.push(event)
  return events
}

const ofType = <T extends GenerateEvent['type']>(
  events: GenerateEvent[],
  type: T,
): Extract<GenerateEvent, { type: T }>[] =>
  events.filter((event): event is Extract<GenerateEvent, { type: T }> => event.type === type)

describe('events', () => {
  it('report the prompt in chunks, then tokens, then the end', async () => {
    const events = await eventsOf({ policy: 'full', chunk: 10, maxNewTokens: 6 })
    const types = events.map((event) => event.type)
    expect(types).toEqual(['prefill', 'prefill', 'prefill', ...Array(6).fill('token'), 'done'])
    expect(ofType(events, 'prefill').map((event) => event.processed)).toEqual([10, 20, 25])
  })

  it('carry text that adds up to the answer', async () => {
    const events = await eventsOf({ policy: 'full', maxNewTokens: 12 })
    const [done] = ofType(events, 'done')
    expect(
      ofType(events, 'token')
        .map((event) => event.text)
        .join(''),
    ).toBe(done!.text)
    expect(ofType(events, 'token').map((event) => event.id)).toEqual(done!.ids)
    expect(done!.text).toMatch(/^ library/)
    expect(done!.reason).toBe('length')
    expect(done!.usage).toMatchObject({
      promptTokens: 25,
      newTokens: 12,
      policy: 'full',
      budgetReached: false,
    })
    expect(done!.usage.budget).toBeUndefined()
  })

  it('list every eviction once, when traced', async () => {
    const events = await eventsOf({
      policy: 'trimkv',
      budget: 8,
      buffer: 2,
      chunk: 7,
      maxNewTokens: 9,
      trace: true,
      keptSets: true,
    })
    const [done] = ofType(events, 'done')
    const gone = new Map<string, number[]>()
    for (const { evicted, step } of ofType(events, 'evict')) {
      for (const { layer, head, positions } of evicted) {
        expect(Math.max(...positions)).toBeLessThan(step)
        gone.set(`${layer}.${head}`, [...(gone.get(`${layer}.${head}`) ?? []), ...positions])
      }
    }
    const read = 25 + 9 - 1
    expect(gone.size).toBe(8)
    for (const [layer, heads] of done!.kept!.entries()) {
      for (const [head, kept] of heads.entries()) {
        const all = [...gone.get(`${layer}.${head}`)!, ...kept].sort((a, b) => a - b)
        expect(all).toEqual(Array.from({ length: read }, (_, i) => i))
      }
    }
    expect(done!.usage.meter.evictions).toBe(gone.get('0.0')!.length)
  })

  it('report log-probabilities when asked', async () => {
    const events = await eventsOf({ policy: 'full', maxNewTokens: 3, logProbs: 4 })
    for (const { id, logProb, top } of ofType(events, 'token')) {
      expect(top).toHaveLength(4)
      expect(top![0]).toEqual({ id, logProb })
      expect(logProb).toBeLessThan(0)
    }
    expect(ofType(await eventsOf({ maxNewTokens: 1 }), 'token')[0]).not.toHaveProperty('logProb')
  })
})

describe('an answer', () => {
  it('ends before a stop string that spans tokens', async () => {
    const whole = await generate(model, prompt, { policy: 'full', maxNewTokens: 8 }).result()
    const [, second, third] = whole.text.trim().split(' ')
    const stop = ` ${second} ${third}`
    const done = await generate(model, prompt, { policy: 'full', maxNewTokens: 8, stop: [stop] }).result()
    expect(done).toMatchObject({ reason: 'stop', stop, text: whole.text.slice(0, whole.text.indexOf(stop)) })
  })

  it('ends after a stop id and after an end token, whose text is not shown', async () => {
    const whole = await generate(model, prompt, { policy: 'full', maxNewTokens: 4 }).result()
    const stopped = await generate(model, prompt, { policy: 'full', stopIds: [whole.ids[2]!] }).result()
    expect(stopped).toMatchObject({ reason: 'stop', ids: whole.ids.slice(0, 3) })
    expect(whole.text.startsWith(stopped.text)).toBe(true)
    expect(stopped.text.length).toBeLessThan(whole.text.length)
    const ended = await generate({ ...model, endIds: new Set([whole.ids[1]!]) }, prompt, {
      policy: 'full',
    }).result()
    expect(ended).toMatchObject({ reason: 'end', ids: whole.ids.slice(0, 2) })
    const ignored = { ...model, endIds: new Set([whole.ids[1]!]) }
    expect(
      (await generate(ignored, prompt, { policy: 'full', maxNewTokens: 4, ignoreEnd: true }).result()).ids,
    ).toEqual(whole.ids)
  })

  it('repeats with a seed and changes with another', async () => {
    const answer = async (seed: number) =>
      (await generate(model, prompt, { temperature: 2, seed, maxNewTokens: 12 }).result()).ids
    expect(await answer(1)).toEqual(await answer(1))
    expect(await answer(1)).not.toEqual(await answer(2))
  })

  it('can be had as text, once', async () => {
    const answer = generate(model, prompt, { policy: 'full', maxNewTokens: 2 })
    expect(await answer.text()).toMatch(/^ library/)
    await expect(answer.text()).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
  })

  it('says by default which policy and budget it had', async () => {
    const { usage } = await generate(model, prompt, { maxNewTokens: 2 }).result()
    expect(usage).toMatchObject({
      policy: 'trimkv',
      budget: 512,
      mode: { mode: 'buffered', buffer: 128 },
      kvDtype: 'f32',
    })
  })

  const stored = (kvDtype: GenerateOptions['kvDtype'] & string) =>
    generate(model, prompt, { policy: 'full', maxNewTokens: 4, kvDtype }).result()

  it.each(['bf16', 'f16'] as const)('takes half the memory with keys and values in %s', async (kvDtype) => {
    const [wide, narrow] = [await stored('f32'), await stored(kvDtype)]
    expect(narrow.usage.meter.logicalBytes).toBe(wide.usage.meter.logicalBytes / 2)
    expect(narrow.ids).toEqual(wide.ids)
  })

  it('takes a quarter of the memory with keys and values in f8, at some cost', async () => {
    const wide = (await stored('f32')).usage.meter
    expect((await stored('f8')).usage.meter.logicalBytes).toBe(wide.logicalBytes / 4)
    const secondLogProb = async (kvDtype: 'f32' | 'f8') => {
      const events = await eventsOf({ policy: 'full', maxNewTokens: 2, logProbs: 0, kvDtype })
      return events.findLast((event) => event.type === 'token')!.logProb!
    }
    const lost = Math.abs((await secondLogProb('f8')) - (await secondLogProb('f32')))
    expect(lost).toBeGreaterThan(0)
    expect(lost).toBeLessThan(0.3)
  })

  it('measures a budget in shares of prompt and answer, and in bytes', async () => {
    const budget = async (text: string) =>
      (
        await generate(model, prompt, {
          policy: 'streaming',
          budget: text,
          buffer: 2,
          maxNewTokens: 16,
        }).result()
      ).usage.budget
    expect(await budget('50%')).toBe(20)
    // One token takes 4 layers · 2 heads · (2 · 32 · 4 + 4) bytes, two counts a head come on top.
    expect(await budget(`${12 * 2080 + 64}B`)).toBe(10)
    expect(await budget(`${12 * 2080 + 63}B`)).toBe(9)
  })
})

describe('a budget of a batch', () => {
  const short = { ids: Array.from({ length: 12 }, (_, i) => 5 + i) }
  const long = { ids: Array.from({ length: 44 }, (_, i) => 5 + ((7 * i) % 90)) }
  const options = { policy: 'streaming', buffer: 2, maxNewTokens: 4, ignoreEnd: true }
  const budgets = async (prompts: Prompt[], budget: string): Promise<(number | undefined)[]> => {
    const seen: (number | undefined)[] = []
    for await (const event of generateBatch(model, prompts, { ...options, budget }))
      if (event.type === 'done') seen[event.index] = event.usage.budget
    return seen
  }

  it('is refused as a share that is another number of tokens for another prompt', async () => {
    await expect(budgets([short, long], '50%')).rejects.toMatchObject({
      code: 'TRIMKV_OPTION',
      message: expect.stringMatching(/50% is not the same[\s\S]*shortest it is 8 tokens, of the longest 24/),
    })
    expect(await budgets([long, long], '50%')).toEqual([24, 24])
    expect(await budgets([short, long], '20')).toEqual([20, 20])
  })

  it('is a share of each sequence also where the limit of the model cuts answers', async () => {
    const small = { ...model, spec: { ...model.spec, maxLength: 50 } }
    const { maxNewTokens: _, ...given } = { ...options, budget: '50%' }
    const counts: (number | undefined)[] = []
    for await (const event of generateBatch(small, [short, long], given))
      if (event.type === 'done') counts[event.index] = event.usage.budget
    // 12 + 39 and 44 + 7 tokens
    expect(counts).toEqual([25, 25])
  })

  it('is divided by the number of prompts where it is in bytes', async () => {
    const [alone] = await budgets([short], '24KiB')
    expect(await budgets([short, long], '48KiB')).toEqual([alone, alone])
  })
})

describe('memory', () => {
  let tensors = 0
  let bytes = 0
  beforeEach(() => {
    tensors = model.device.liveTensors()
    bytes = model.device.bytes()
  })
  const isFreed = (): void => {
    expect(model.device.liveTensors()).toBe(tensors)
    expect(model.device.bytes()).toBe(bytes)
  }

  it('is freed when the answer is complete and when the loop is left', async () => {
    await generate(model, prompt, { budget: 8, buffer: 2, maxNewTokens: 10 }).result()
    isFreed()
    for await (const event of generate(model, prompt, { maxNewTokens: 10 })) if (event.type === 'token') break
    isFreed()
    for await (const event of generateBatch(model, [prompt, 'put'], { maxNewTokens: 10 }))
      if (event.index === 1) break
    isFreed()
  })

  it('is freed when it is aborted before, in the prompt and between tokens, with the reason given', async () => {
    const reason = new Error('enough')
    await expect(generate(model, prompt, { signal: AbortSignal.abort(reason) }).result()).rejects.toBe(reason)
    isFreed()
    for (const type of ['prefill', 'token'] as const) {
      const controller = new AbortController()
      const run = async (): Promise<void> => {
        for await (const event of generate(model, prompt, {
          chunk: 5,
          maxNewTokens: 50,
          signal: controller.signal,
        })) {
          if (event.type === type) controller.abort(reason)
        }
      }
      await expect(run()).rejects.toBe(reason)
      isFreed()
    }
  })

  it('does not grow with the length of the text under a budget', async () => {
    const peak = async (repeats: number) => {
      const done = await generate(model, Array(repeats).fill(prompt).join(' . '), {
        budget: 16,
        buffer: 8,
        chunk: 16,
        maxNewTokens: 4,
      }).result()
      return done.usage.meter.peakBytes
    }
    expect(await peak(40)).toBe(await peak(5))
  })
})

describe('a tokenizer', () => {
  it('that could not be read is read when it is asked for again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'trimkv-generate-'))
    try {
      const file = join(folder, 'tokenizer.json')
      cpSync(referenceModelDir, folder, { recursive: true })
      rmSync(file)
      using late = await loadModel(folder, { threads: 1 })
      const options = { policy: 'full', maxNewTokens: 1 }
      await expect(generate(late, prompt, options).text()).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
      cpSync(join(referenceModelDir, 'tokenizer.json'), file)
      expect(await generate(late, prompt, options).text()).toBe(' library')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('a device', () => {
  it('is shared by models that are given it, and stays open when they go', async () => {
    const before = model.device.liveTensors()
    {
      using other = await loadModel(goldenPath('llama', 'hf'), { device: model.device })
      expect(other.device).toBe(model.device)
      const { ids } = await generate(other, { ids: [5, 6, 7] }, { maxNewTokens: 2, ignoreEnd: true }).result()
      expect(ids).toHaveLength(2)
    }
    expect(model.device.liveTensors()).toBe(before)
    expect(await generate(model, prompt, { policy: 'full', maxNewTokens: 1 }).text()).toBe(' library')
  })
})

describe('long rope factors', () => {
  it('are chosen once, from the prompt and all tokens to come', async () => {
    using longrope = await loadModel(goldenPath('phi3-longrope', 'hf'), { threads: 2 })
    const first = async (maxNewTokens: number) => {
      for await (const event of generate(
        longrope,
        { ids: [5, 6, 7, 8, 9, 10, 11, 12] },
        { maxNewTokens, logProbs: 0, ignoreEnd: true },
      )) {
        if (event.type === 'token') return event.logProb
      }
      return undefined
    }
    // The model was trained at 32 positions before scaling.
    expect(await first(24)).toBe(await first(2))
    expect(await first(25)).not.toBe(await first(24))
    expect(await first(25)).toBe(await first(200))
  })
})
