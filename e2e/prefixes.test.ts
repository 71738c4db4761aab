import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ChatSession,
  type DoneEvent,
  type GenerateOptions,
  generate,
  generateBatch,
  loadModel,
  loadPrefix,
  type Model,
  type PrefixOptions,
  readPrefix,
  readSessionHeader,
  stableIds,
  systemTokens,
} from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-prefixes-'))
const joined = '{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}'
let model: Model
beforeAll(async () => {
  const dir = join(folder, 'model')
  cpSync(referenceModelDir, dir, { recursive: true })
  writeFileSync(join(dir, 'chat_template.jinja'), joined)
  model = await loadModel(dir, { gates: referenceGatesDir, threads: 2 })
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
// Whatever a test did, nothing may be left.
afterEach(() => {
  expect(model.device.liveTensors()).toBe(tensors)
  expect(model.device.bytes()).toBe(bytes)
})

const text =
  'put key library . ida smiles . put stone kitchen . finn visits mill . put lamp hall . nia sings . '
const long = text.repeat(3)
const asked = `${long}find key`

const answer = (prompt: string, options: GenerateOptions): Promise<DoneEvent> =>
  generate(model, prompt, { maxNewTokens: 3, logProbs: 0, ...options }).result()

describe('a prefix', () => {
  it('holds the tokens that every prompt with it begins with', async () => {
    const { encode } = await model.tokenizer()
    const ids = await stableIds(model, text)
    for (const more of ['find key', ' .', 'x', '\n'])
      expect(encode(text + more).slice(0, ids.length)).toEqual(ids)
    expect(encode(text).length - ids.length).toBeLessThan(3)
    expect(await stableIds(model, { ids: [5, 6] })).toEqual([5, 6])
  })

  it('is read once, and answers are those of the whole prompt', async () => {
    using prefix = await readPrefix(model, long, { policy: 'full' })
    for (const question of ['find key', 'find stone', 'find lamp']) {
      const whole = await answer(long + question, { policy: 'full' })
      const done = await answer(long + question, { prefix })
      expect({ ids: done.ids, text: done.text, logProb: done.meanLogProb }).toEqual({
        ids: whole.ids,
        text: whole.text,
        logProb: whole.meanLogProb,
      })
      expect(done.usage.reusedTokens).toBe(prefix.ids.length)
      expect(done.usage.promptTokens + done.usage.reusedTokens).toBe(whole.usage.promptTokens)
    }
  })

  it('goes on the same from its file, in the bounded cache it was read into', async () => {
    const path = join(folder, 'prefix.trimkv')
    const given: PrefixOptions = { policy: 'trimkv', budget: 24, buffer: 8 }
    using prefix = await readPrefix(model, long, given)
    expect(prefix.report.meter.evictions).toBeGreaterThan(20)
    await prefix.save(path)
    using loaded = await loadPrefix(model, path)
    expect(loaded.ids).toEqual(prefix.ids)
    expect(loaded.report.meter.entries).toBe(prefix.report.meter.entries)
    const [from, again] = [await answer(asked, { prefix }), await answer(asked, { prefix: loaded })]
    expect([again.ids, again.meanLogProb]).toEqual([from.ids, from.meanLogProb])
    // It is still what it was: asking does not use it up.
    expect((await answer(asked, { prefix: loaded })).meanLogProb).toBe(from.meanLogProb)
    expect(from.usage).toMatchObject({ policy: 'trimkv', budget: 24, mode: { mode: 'buffered', buffer: 8 } })
  })

  it('serves prompts side by side', async () => {
    using prefix = await readPrefix(model, long, { policy: 'h2o', budget: 30 })
    const questions = ['find key', 'find stone', 'find lamp'].map((question) => long + question)
    const batch: DoneEvent[] = []
    for await (const event of generateBatch(model, questions, { prefix, maxNewTokens: 3, logProbs: 0 }))
      if (event.type === 'done') batch[event.index] = event
    for (const [index, question] of questions.entries()) {
      const alone = await answer(question, { prefix })
      expect([batch[index]?.ids, batch[index]?.meanLogProb]).toEqual([alone.ids, alone.meanLogProb])
    }
  })

  it('reports evictions since the prefix when traced', async () => {
    using prefix = await readPrefix(model, long, { policy: 'streaming', budget: 12, buffer: 2 })
    const steps: number[] = []
    for await (const event of generate(model, asked, { prefix, maxNewTokens: 6, trace: true }))
      if (event.type === 'evict') {
        steps.push(event.step)
        for (const { positions } of event.evicted) expect(positions.length).toBeLessThan(12)
      }
    expect(Math.min(...steps)).toBeGreaterThan(prefix.ids.length)
  })

  it('is refused by a prompt that begins otherwise, unless what is shared can be told apart', async () => {
    using evicted = await readPrefix(model, long, { policy: 'trimkv', budget: 16, buffer: 4 })
    await expect(answer('put key barn . find key', { prefix: evicted })).rejects.toMatchObject({
      code: 'TRIMKV_PREFIX_MISMATCH',
      message: expect.stringMatching(/begin with the same 3 tokens, .*\n.*evicted[\s\S]*cannot be cut back/),
      details: { shared: 3, prefixTokens: evicted.ids.length, promptTokens: 7 },
    })
    await expect(answer(text.trim(), { prefix: evicted })).rejects.toThrow(/all of them in the prefix/)
    using mass = await readPrefix(model, long, { policy: 'h2o', budget: 400 })
    await expect(answer('put key barn . find key', { prefix: mass })).rejects.toThrow(
      /rates tokens by those after/,
    )
    // With nothing evicted the part that is shared is used, and reported.
    using whole = await readPrefix(model, long, { policy: 'full' })
    const other = await answer('put key barn . find key', { prefix: whole })
    const fresh = await answer('put key barn . find key', { policy: 'full' })
    expect([other.ids, other.meanLogProb]).toEqual([fresh.ids, fresh.meanLogProb])
    expect(other.usage).toMatchObject({ reusedTokens: 3, promptTokens: 4 })
    const same = await generate(model, { ids: whole.ids }, { prefix: whole, maxNewTokens: 1 }).result()
    expect(same.usage.promptTokens).toBe(1)
  })

  it('has its own cache options, and says so when others are given', async () => {
    using prefix = await readPrefix(model, text, { policy: 'trimkv', budget: 16 })
    const refused = (options: GenerateOptions, field: string) =>
      expect(answer(`${text}find key`, { prefix, ...options })).rejects.toMatchObject({
        code: 'TRIMKV_SESSION_MISMATCH',
        details: expect.objectContaining({ field }),
      })
    await refused({ policy: 'h2o' }, 'policy')
    await refused({ budget: 17 }, 'budget')
    await refused({ exact: true }, 'mode')
    await refused({ kvDtype: 'f16' }, 'kvDtype')
    await answer(`${text}find key`, { prefix, policy: 'trimkv', budget: 16 })
    await expect(answer(`${text}find key`, { prefix, pin: 3 })).rejects.toMatchObject({
      code: 'TRIMKV_OPTION',
    })
    using other = await loadModel(referenceModelDir, { threads: 1 })
    await expect(generate(other, text, { prefix }).result()).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
  })

  it('leaves nothing behind when reading it, or an answer from it, is stopped', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const reading = readPrefix(model, long, {
      chunk: 7,
      signal: controller.signal,
      onProgress: ({ processed }) => {
        if (processed > 20) controller.abort(reason)
      },
    })
    await expect(reading).rejects.toBe(reason)
    using prefix = await readPrefix(model, long, { budget: 16 })
    for await (const event of generate(model, asked, { prefix })) if (event.type === 'token') break
    await expect(answer(asked, { prefix, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await expect(readPrefix(model, { ids: [] })).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
    await expect(readPrefix(model, long, { maxTokens: 10 })).rejects.toMatchObject({
      code: 'TRIMKV_POSITION_LIMIT',
    })
  })
})

async function say(chat: ChatSession, message: string) {
  let done: DoneEvent | undefined
  let reread: string | undefined
  for await (const event of chat.send(message)) {
    if (event.type === 'prefill') reread = event.reread
    if (event.type === 'done') done = event
  }
  return { ids: done!.ids, read: done!.usage.promptTokens, reused: done!.usage.reusedTokens, reread }
}

describe('a conversation', () => {
  const given = { policy: 'trimkv', budget: 20, buffer: 6, maxNewTokens: 4 }

  it('goes on from its file, and in forks, as if it had never stopped', async () => {
    const path = join(folder, 'chat.trimkv')
    using chat = new ChatSession(model, { ...given, system: ' put stone kitchen .' })
    await say(chat, ` ${text}`)
    await say(chat, ' put lamp hall . ida smiles .')
    await chat.save(path)
    using fork = await chat.fork()
    using restored = await ChatSession.restore(model, path, { maxNewTokens: 4 })
    expect(restored.messages).toEqual(chat.messages)
    for (const message of [' . find lamp', ' . find stone', ` ${text}`]) {
      const expected = await say(chat, message)
      expect(expected.reused).toBeGreaterThan(20)
      expect(await say(fork, message)).toEqual(expected)
      expect(await say(restored, message)).toEqual(expected)
    }
    expect(restored.messages).toEqual(chat.messages)
  })

  it('keeps the ids that were generated, whatever their text would be encoded to', async () => {
    const dir = join(folder, 'marked')
    cpSync(referenceModelDir, dir, { recursive: true })
    const marked = '{{ bos_token }}{% for m in messages %}{{ m.content }}<|end|>{% endfor %}'
    writeFileSync(join(dir, 'chat_template.jinja'), marked)
    using other = await loadModel(dir, { threads: 2 })
    const { encode, decode } = await other.tokenizer()
    const bytesOf = (content: string) => encode(content, { addSpecialTokens: false })
    const path = join(folder, 'spelled.trimkv')
    // So hot that every token is as likely as any other: bytes that are no text among them.
    const options = { policy: 'full', temperature: 1e4, maxNewTokens: 12, seed: 5 }
    using chat = new ChatSession(other, options)
    const first = await say(chat, ' put key library .')
    expect(bytesOf(decode(first.ids))).not.toEqual(first.ids)
    await chat.save(path)
    using restored = await ChatSession.restore(other, path, options)
    const second = await say(chat, ' find key')
    // The last token of the answer, its end, and the message with its own.
    expect(second).toMatchObject({ read: 1 + 1 + 2 + 1, reread: undefined })
    const ids = [
      ...bytesOf('<|bos|> put key library .<|end|>'),
      ...first.ids,
      ...bytesOf('<|end|> find key<|end|>'),
    ]
    const whole = await generate(other, { ids }, options).result()
    expect(second.ids).toEqual(whole.ids)
    expect(await say(restored, ' find key')).toEqual(second)
  })

  it('that was stopped is saved with what was said, and read again', async () => {
    const path = join(folder, 'stopped.trimkv')
    using chat = new ChatSession(model, given)
    await say(chat, ' put key library .')
    for await (const event of chat.send(' put lamp hall .')) if (event.type === 'token') break
    await chat.save(path)
    using restored = await ChatSession.restore(model, path, given)
    const next = await say(chat, ' find key')
    expect(next).toMatchObject({ reread: 'stopped', reused: 0 })
    expect(await say(restored, ' find key')).toEqual(next)
  })

  it('refuses another system message, a prefix, and to be saved while it answers', async () => {
    const path = join(folder, 'refused.trimkv')
    using chat = new ChatSession(model, { ...given, system: ' put stone kitchen .' })
    await say(chat, ' put key library .')
    await chat.save(path)
    await expect(ChatSession.restore(model, path, { system: 'other' })).rejects.toMatchObject({
      code: 'TRIMKV_SESSION_MISMATCH',
      details: expect.objectContaining({ field: 'system' }),
    })
    await expect(ChatSession.restore(model, path, { pinSystem: true })).rejects.toMatchObject({
      details: expect.objectContaining({ field: 'pin' }),
    })
    await expect(ChatSession.restore(model, path, { budget: 33 })).rejects.toMatchObject({
      details: expect.objectContaining({ field: 'budget' }),
    })
    const events = chat.send(' find key')
    await events.next()
    await expect(chat.save(path)).rejects.toThrow(/not complete/)
    await expect(chat.fork()).rejects.toThrow(/not complete/)
    await events.return()
    using prefix = await readPrefix(model, text)
    await prefix.save(path)
    await expect(ChatSession.restore(model, path)).rejects.toThrow(/holds no conversation/)
  })
})

describe('a pinned system message', () => {
  const system = ' put stone kitchen . put ring tower .'
  const messages = [
    { role: 'system', content: system },
    { role: 'user', content: ` ${long}find ring` },
  ]

  it('is what the template puts before the first message of the user', async () => {
    const { encode } = await model.tokenizer()
    expect(await systemTokens(model, { messages })).toBe(
      encode(`<|bos|>${system}`, { addSpecialTokens: false }).length,
    )
  })

  it.each([
    { policy: 'streaming', budget: 16, buffer: 4 },
    { policy: 'knorm', budget: 16, exact: true },
    { policy: 'trimkv', budget: 16, buffer: 4 },
    { policy: 'keydiff:when=prefill', budget: 16 },
  ])('stays whatever comes after it: %o', async (given) => {
    const pinned = await systemTokens(model, { messages })
    const options = { ...given, maxNewTokens: 6, keptSets: true, ignoreEnd: true }
    const first = Array.from({ length: pinned }, (_, i) => i)
    const missing = (done: DoneEvent) =>
      done.kept!.flat().filter((kept) => JSON.stringify(kept.slice(0, pinned)) !== JSON.stringify(first))
        .length
    const without = await generate(model, { messages }, options).result()
    expect(missing(without)).toBeGreaterThan(0)
    const done = await generate(model, { messages }, { ...options, pinSystem: true }).result()
    expect(missing(done)).toBe(0)
    expect(done.usage.meter.entries).toBeLessThanOrEqual(without.usage.meter.entries)
    using chat = new ChatSession(model, { ...given, maxNewTokens: 3, system, pinSystem: true })
    for (const message of [` ${long}`, ` ${text}`, ' find ring']) {
      for await (const event of chat.send(message))
        if (event.type === 'done') expect(event.reason).toBeDefined()
    }
    const path = join(folder, 'pinned.trimkv')
    await chat.save(path)
    using again = await ChatSession.restore(model, path, { maxNewTokens: 3, system, pinSystem: true })
    expect(again.messages).toEqual(chat.messages)
  })

  it('stays pinned in a conversation that is saved before its first turn, or after one that was stopped', async () => {
    const options = { policy: 'streaming', budget: 16, buffer: 4, maxNewTokens: 3, system, pinSystem: true }
    const pinned = await systemTokens(model, { messages })
    const path = join(folder, 'pinned-early.trimkv')
    const goesOn = async (chat: ChatSession): Promise<void> => {
      using again = await ChatSession.restore(model, path, options)
      expect(again.messages).toEqual(chat.messages)
      const [expected, next] = [await say(chat, ' find ring'), await say(again, ' find ring')]
      expect(next).toEqual(expected)
      await again.save(path)
      expect((await readSessionHeader(path)).seats[0]?.pinned).toBe(pinned)
    }
    using early = new ChatSession(model, options)
    await early.save(path)
    await goesOn(early)
    using stopped = new ChatSession(model, options)
    await say(stopped, ` ${text}`)
    for await (const event of stopped.send(' put lamp hall .')) if (event.type === 'token') break
    await stopped.save(path)
    await goesOn(stopped)
  })

  it('needs a budget that holds it, which is named, and a system message', async () => {
    const pinned = await systemTokens(model, { messages })
    const small = { policy: 'trimkv', budget: pinned, buffer: 4, pinSystem: true }
    await expect(generate(model, { messages }, small).result()).rejects.toMatchObject({
      code: 'TRIMKV_BUDGET_TOO_SMALL',
      hint: `the smallest valid budget is ${pinned + 1}`,
    })
    const user = { messages: messages.slice(1) }
    await expect(generate(model, user, { pinSystem: true }).result()).rejects.toThrow(/no system message/)
    await expect(generate(model, text, { pinSystem: true }).result()).rejects.toThrow(/needs a conversation/)
    expect(() => new ChatSession(model, { pinSystem: true })).toThrow(/needs a system message/)
  })

  it('may differ from one sequence of a batch to the next', async () => {
    const short = { messages: [{ role: 'system', content: ' put ring tower .' }, ...messages.slice(1)] }
    const options = { policy: 'knorm', budget: 16, buffer: 3, maxNewTokens: 5, pinSystem: true, logProbs: 0 }
    const batch: DoneEvent[] = []
    for await (const event of generateBatch(model, [{ messages }, short, { messages }], options))
      if (event.type === 'done') batch[event.index] = event
    const alone = await generate(model, short, options).result()
    expect([batch[1]?.ids, batch[1]?.meanLogProb]).toEqual([alone.ids, alone.meanLogProb])
    expect(batch[2]?.ids).toEqual(batch[0]?.ids)
  })
})
