import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { policies } from '@trimkv/cache'
import {
  type CacheOptions,
  copySequence,
  createSession,
  type DecoderSession,
  forkSession,
  loadModel,
  type Model,
  prefill,
  readSessionHeader,
  restoreSession,
  saveSession,
} from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { goldenPath } from './golden.ts'
import { type FileOptions, policyFiles } from './policy-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-sessions-'))
let model: Model
let ids: readonly number[]
let filesOf: FileOptions
beforeAll(async () => {
  model = await loadModel(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
  const text =
    'put key library . ida smiles . put stone kitchen . finn visits mill . put lamp hall . nia sings . '
  ids = (await model.tokenizer()).encode(text.repeat(4)).slice(0, 90)
  filesOf = await policyFiles(model, { folder, ids, threshold: 0 })
})
afterAll(() => {
  model[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

let tensors = 0
let bytes = 0
beforeEach(() => {
  tensors = model.device.liveTensors()
  bytes = model.device.bytes()
})
const expectFreed = (): void => {
  expect(model.device.liveTensors()).toBe(tensors)
  expect(model.device.bytes()).toBe(bytes)
}

/** Reads tokens one by one into one seat; logits after each. */
async function step(
  session: DecoderSession,
  seat: number,
  tokens: readonly number[],
): Promise<Float32Array[]> {
  const logits: Float32Array[] = []
  for (const id of tokens) {
    const seats = { first: seat, count: 1 }
    const { values } = await session.forward({ seats, ids: [[id]], output: { kind: 'last' } })
    logits.push(values)
  }
  return logits
}

async function read(session: DecoderSession, seat: number, tokens: readonly number[]): Promise<void> {
  session.begin(seat, 200)
  for await (const _ of prefill(session, { seat, ids: tokens, output: 'none' }));
}

async function started(options: CacheOptions, lengths: readonly number[]): Promise<DecoderSession> {
  const session = createSession(model, options, { batch: lengths.length, maxTokens: 200 })
  for (const [seat, length] of lengths.entries()) await read(session, seat, ids.slice(0, length))
  return session
}

const contentOf = (lengths: readonly number[]) => ({ ids: lengths.map((length) => ids.slice(0, length)) })

type Settings = Omit<CacheOptions, 'policy'>

/** Every policy that evicts while decoding in both modes, and every one that by itself cuts once after the prompt. */
const modes = Object.values(policies).flatMap(
  ({ name, phases, options }): { label: string; name: string; given: string; settings: Settings }[] => {
    const last = ['window', 'question'].find((option) => option in options)
    const small = last === undefined ? [] : [`${last}=4`]
    const cut = { label: `${name}, after the prompt`, name, given: small.join(), settings: { budget: 24 } }
    if (!phases.includes('decode')) return [cut]
    const once = options.when?.default === 'prefill'
    const given = [...(once ? ['when=decode', ...small] : [])].join()
    return [
      ...(once ? [cut] : []),
      { label: `${name}, buffered`, name, given, settings: { budget: 20, buffer: 6, chunk: 11 } },
      { label: `${name}, exact`, name, given, settings: { budget: 20, exact: true } },
    ]
  },
)

/** A policy with its options, and the files it reads. */
const spelled = (name: string, given: string): string => {
  const options = [filesOf(name).slice(1), given].filter((text) => text !== '').join()
  return options === '' ? name : `${name}:${options}`
}

describe('a session that was saved and restored', () => {
  it.each(modes)('goes on bit for bit, each of its sequences: $label', async ({ name, given, settings }) => {
    const path = join(folder, 'state.trimkv')
    const policy = spelled(name, given)
    // One not under pressure, two in different places between two cuts.
    const lengths = [9, 41, 44]
    for (const kvDtype of ['f32', 'bf16', 'f16', 'f8'] as const) {
      using session = await started({ ...settings, policy, kvDtype }, lengths)
      await saveSession(session, path, contentOf(lengths))
      const { session: again, ids: savedIds } = await restoreSession(model, path)
      using restored = again
      expect(savedIds).toEqual(contentOf(lengths).ids)
      expect(restored.options).toMatchObject({ mode: session.options.mode, kvDtype })
      for (const seat of lengths.keys()) {
        const more = ids.slice(60, 75)
        expect(await step(restored, seat, more)).toEqual(await step(session, seat, more))
        expect(restored.cache.positions(seat)).toEqual(session.cache.positions(seat))
        expect(restored.cache.seen(seat)).toBe(session.cache.seen(seat))
      }
    }
    expectFreed()
  })

  it('goes on with another number of threads, and after a cut of a whole prompt', async () => {
    const path = join(folder, 'prefill.trimkv')
    const given = { policy: 'snapkv:when=prefill,window=8', budget: 40 }
    using session = await started(given, [70])
    await saveSession(session, path, contentOf([70]))
    using other = await loadModel(referenceModelDir, { gates: referenceGatesDir, threads: 1 })
    const { session: again } = await restoreSession(other, path, { maxTokens: 200 })
    using restored = again
    const more = ids.slice(0, 12)
    expect(await step(restored, 0, more)).toEqual(await step(session, 0, more))
  })

  it('writes filled slots only', async () => {
    const path = join(folder, 'small.trimkv')
    using session = createSession(model, { policy: 'full' }, { batch: 1, maxTokens: 4096, grows: true })
    await read(session, 0, ids.slice(0, 10))
    await saveSession(session, path, contentOf([10]))
    const { layers, kvHeads, headDim } = model.spec
    const needed = 10 * layers * kvHeads * (2 * headDim * 4 + 4)
    const size = readFileSync(path).length
    expect(size).toBeGreaterThan(needed)
    expect(size).toBeLessThan(needed + 8192)
    expect(await readSessionHeader(path)).toMatchObject({ version: 1, seats: [{ seen: 10, stored: 10 }] })
  })

  it('keeps the rotary factors it began with', async () => {
    using longrope = await loadModel(goldenPath('phi3-longrope', 'hf'), { threads: 2 })
    const path = join(folder, 'longrope.trimkv')
    // Trained at 32 positions before scaling: the short factors are chosen here, the long ones by default.
    using session = createSession(longrope, { policy: 'full' }, { batch: 1, maxTokens: 60 })
    session.begin(0, 20)
    await step(session, 0, [5, 6, 7, 8])
    await saveSession(session, path, { ids: [[5, 6, 7, 8]] })
    const { session: again } = await restoreSession(longrope, path)
    using restored = again
    expect(restored.rotary(0)).toEqual(session.rotary(0))
    expect(await step(restored, 0, [9, 10])).toEqual(await step(session, 0, [9, 10]))
  })

  it('takes no more memory than its sequences can fill because a file says so', async () => {
    const path = join(folder, 'large.trimkv')
    const budget = 4 * Math.max(model.spec.maxLength, 4096)
    using session = await started({ policy: 'streaming', budget, buffer: 1 }, [9])
    await saveSession(session, path, contentOf([9]))
    await expect(restoreSession(model, path)).rejects.toMatchObject({
      code: 'TRIMKV_SESSION_MISMATCH',
      details: expect.objectContaining({ field: 'budget', saved: budget }),
    })
    using restored = (await restoreSession(model, path, { budget })).session
    expect(restored.cache.seen(0)).toBe(9)
  })

  it('is refused with one reason each: model, gates, settings, version, damage', async () => {
    const path = join(folder, 'refused.trimkv')
    const given = { policy: 'trimkv', budget: 20, buffer: 6 }
    using session = await started(given, [41])
    await saveSession(session, path, contentOf([41]))
    const live = model.device.liveTensors()
    const refused = async (options: CacheOptions, field: string, on: Model = model) =>
      expect(restoreSession(on, path, options)).rejects.toMatchObject({
        code: 'TRIMKV_SESSION_MISMATCH',
        details: expect.objectContaining({ field }),
      })
    await refused({ policy: 'h2o' }, 'policy')
    await refused({ policy: 'trimkv:score=knorm_alpha' }, 'policyOptions')
    await refused({ budget: 21 }, 'budget')
    await refused({ buffer: 7 }, 'mode')
    await refused({ exact: true }, 'mode')
    await refused({ kvDtype: 'bf16' }, 'kvDtype')
    await refused({ positionOffset: 3 }, 'positionOffset')
    await refused({ pin: 3 }, 'pin')
    using ungated = await loadModel(referenceModelDir, { threads: 1 })
    await refused({}, 'gates', ungated)
    using other = await loadModel(goldenPath('llama', 'hf'), { threads: 1 })
    await refused({}, 'model', other)

    const whole = readFileSync(path)
    const damaged = async (content: Buffer, message: RegExp) => {
      writeFileSync(path, content)
      await expect(restoreSession(model, path)).rejects.toMatchObject({
        code: 'TRIMKV_FORMAT',
        message: expect.stringMatching(message),
      })
    }
    const flipped = Buffer.from(whole)
    flipped[whole.length - 5000]! ^= 1
    await damaged(flipped, /altered or damaged/)
    await damaged(whole.subarray(0, -1), /truncated/)
    await damaged(whole.subarray(0, 50), /truncated/)
    await damaged(Buffer.from('not a session at all'), /safetensors/)
    await damaged(readFileSync(join(referenceModelDir, 'model.safetensors')), /checksum at the end/)
    const newer = Buffer.from(
      whole.toString('latin1').replace('{\\"version\\":1,', '{\\"version\\":2,'),
      'latin1',
    )
    await damaged(newer, /of version 2[\s\S]*newer/)
    await expect(restoreSession(model, join(folder, 'none'))).rejects.toMatchObject({
      code: 'TRIMKV_NOT_FOUND',
    })
    expect(model.device.liveTensors()).toBe(live)
  })

  it('needs no gates where the policy reads none', async () => {
    const path = join(folder, 'ungated.trimkv')
    using session = await started({ policy: 'h2o', budget: 20 }, [30])
    await saveSession(session, path, contentOf([30]))
    using ungated = await loadModel(referenceModelDir, { threads: 1 })
    const { session: again } = await restoreSession(ungated, path)
    again[Symbol.dispose]()
  })

  it('frees everything when it is aborted while saving or restoring', async () => {
    const path = join(folder, 'aborted.trimkv')
    {
      using session = await started({ budget: 20 }, [30])
      const signal = AbortSignal.abort(new Error('enough'))
      await expect(saveSession(session, path, { ...contentOf([30]), signal })).rejects.toThrow('enough')
      await saveSession(session, path, contentOf([30]))
      await expect(restoreSession(model, path, { signal })).rejects.toThrow('enough')
      await expect(saveSession(session, path, contentOf([29]))).rejects.toThrow(/has read 30 tokens/)
    }
    expectFreed()
  })
})

/** Stops some work after some time: it may be over by then. */
async function stopped(delayMs: number, work: (signal: AbortSignal) => Promise<Disposable>): Promise<string> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(new Error('enough')), delayMs)
  try {
    using _done = await work(controller.signal)
    return 'done'
  } catch (error) {
    return (error as Error).message
  } finally {
    clearTimeout(timer)
  }
}

describe('work that is stopped at any time', () => {
  it('frees what it took', async () => {
    const path = join(folder, 'stopped.trimkv')
    const given = { policy: 'full', chunk: 64 }
    const outcomes = new Set<string>()
    {
      using session = await started(given, [90, 90, 90])
      await saveSession(session, path, contentOf([90, 90, 90]))
      const before = [model.device.liveTensors(), model.device.bytes()]
      for (let delayMs = 0; delayMs < 12; delayMs++) {
        const restoring = (signal: AbortSignal) =>
          restoreSession(model, path, { signal }).then((restored) => restored.session)
        const forking = (signal: AbortSignal) => forkSession({ session, seat: 1 }, { batch: 8, signal })
        for (const work of [restoring, forking]) outcomes.add(await stopped(delayMs, work))
        expect([model.device.liveTensors(), model.device.bytes()]).toEqual(before)
      }
      // What was forked from is whole.
      using fork = await forkSession({ session, seat: 1 })
      expect(await step(fork, 0, [7])).toEqual(await step(session, 1, [7]))
    }
    expect(outcomes).toContain('enough')
    expectFreed()
  })
})

describe('a session that was forked', () => {
  it.each(modes)('goes on bit for bit in every copy: $label', async ({ name, given, settings }) => {
    const policy = spelled(name, given)
    for (const kvDtype of ['f32', 'bf16'] as const) {
      using session = await started({ ...settings, policy, kvDtype }, [17, 43])
      using fork = await forkSession({ session, seat: 1 }, { batch: 2 })
      const more = ids.slice(50, 62)
      const expected = await step(session, 1, more)
      expect(await step(fork, 1, more)).toEqual(expected)
      // The neighbour has not moved.
      expect(fork.cache.seen(0)).toBe(43)
      expect(await step(fork, 0, more)).toEqual(expected)
    }
    expectFreed()
  })

  it('frees everything when it is aborted, and refuses another model', async () => {
    {
      using session = await started({ budget: 20 }, [30])
      const signal = AbortSignal.abort(new Error('enough'))
      await expect(forkSession({ session, seat: 0 }, { signal })).rejects.toThrow('enough')
      using other = await loadModel(referenceModelDir, { device: model.device })
      using theirs = createSession(other, { policy: 'full' }, { batch: 1, maxTokens: 50 })
      await expect(copySequence({ session, seat: 0 }, { session: theirs, seat: 0 })).rejects.toMatchObject({
        code: 'TRIMKV_OPTION',
      })
    }
    expectFreed()
  })
})

describe('sequences that pin different numbers of tokens', () => {
  it('decode side by side as they do alone', async () => {
    const given = { policy: 'streaming', budget: 10, exact: true }
    const pins = [2, 2, 5]
    using session = createSession(model, given, { batch: 3, maxTokens: 200 })
    for (const [seat, pin] of pins.entries()) {
      session.begin(seat, 200, pin)
      await step(session, seat, ids.slice(0, 15))
    }
    const { values } = await session.forward({ ids: [[7], [8], [9]], output: { kind: 'last' } })
    const vocab = model.spec.vocabSize
    for (const [seat, pin] of pins.entries()) {
      using alone = createSession(model, given, { batch: 1, maxTokens: 200 })
      alone.begin(0, 200, pin)
      await step(alone, 0, ids.slice(0, 15))
      const [logits] = await step(alone, 0, [7 + seat])
      expect(values.slice(seat * vocab, (seat + 1) * vocab)).toEqual(logits)
      expect(session.cache.positions(seat)).toEqual(alone.cache.positions(0))
      expect(alone.cache.positions(0)[0]![0]!.slice(0, pin)).toEqual(ids.slice(0, pin).map((_, i) => i))
    }
  })
})
