import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ChatSession, type GenerateEvent, generate, loadModel, type Model } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const joined = '{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}'
const withoutAnswers =
  "{{ bos_token }}{% for m in messages %}{% if m.role != 'assistant' %}{{ m.content }}{% endif %}{% endfor %}"

const folder = mkdtempSync(join(tmpdir(), 'trimkv-chat-'))
const models: Model[] = []

async function modelWith(template: string): Promise<Model> {
  const dir = join(folder, String(models.length))
  cpSync(referenceModelDir, dir, { recursive: true })
  writeFileSync(join(dir, 'chat_template.jinja'), template)
  const model = await loadModel(dir, { gates: referenceGatesDir, threads: 2 })
  models.push(model)
  return model
}

let model: Model
let forgetful: Model
beforeAll(async () => {
  model = await modelWith(joined)
  forgetful = await modelWith(withoutAnswers)
})
afterAll(() => {
  for (const loaded of models) loaded[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

async function say(chat: ChatSession, message: string, signal?: AbortSignal) {
  const events: GenerateEvent[] = []
  for await (const event of chat.send(message, signal)) events.push(event)
  const done = events.at(-1)
  if (done?.type !== 'done') throw new Error('the answer did not end')
  const [first] = events.filter((event) => event.type === 'prefill')
  return { ...done, read: first?.total, reread: first?.reread }
}

describe('ChatSession', () => {
  it('reads only what is new, and answers as if it had read everything', async () => {
    using chat = new ChatSession(model, { policy: 'full', maxNewTokens: 3, system: ' put stone kitchen .' })
    const first = await say(chat, ' put key library . find key')
    const second = await say(chat, ' . put lamp hall . find stone')
    expect(first.text).toMatch(/^ library/)
    expect(second.read).toBe(7 + 1) // and the last token of the answer before
    const text = chat.messages
      .slice(0, -1)
      .map((message) => message.content)
      .join('')
    const fresh = await generate(model, `<|bos|>${text}`, { policy: 'full', maxNewTokens: 3 }).result()
    expect(second.ids).toEqual(fresh.ids)
    expect(chat.messages.map((message) => message.role)).toEqual([
      'system',
      'user',
      'assistant',
      'user',
      'assistant',
    ])
  })

  it('stays within its budget for as long as it goes on', async () => {
    using chat = new ChatSession(model, { policy: 'trimkv', budget: 12, buffer: 4, maxNewTokens: 3 })
    let last = await say(chat, ' put key library .')
    const { allocatedBytes } = last.usage.meter
    for (let turn = 0; turn < 8; turn++) last = await say(chat, ' ida smiles . finn visits mill .')
    expect(last.usage.meter.entries).toBeLessThanOrEqual(16)
    expect(last.usage.meter.allocatedBytes).toBe(allocatedBytes)
    expect(last.usage.meter.evictions).toBeGreaterThan(60)
  })

  it('takes memory for a full cache page by page', async () => {
    using chat = new ChatSession(model, { policy: 'full', maxNewTokens: 2 })
    const first = await say(chat, ' put key library .')
    const page = 256 * 4 * 2 * (2 * 32 * 4 + 4)
    expect(first.usage.meter.allocatedBytes).toBeLessThan(1.01 * page)
    const long = await say(chat, ' ida smiles . finn visits mill .'.repeat(50))
    expect(Math.round(long.usage.meter.allocatedBytes / page)).toBe(2)
  })

  it.each(['full', 'trimkv'])('keeps what the template did not rewrite, under %s', async (policy) => {
    const before = { policy, budget: 64 }
    using chat = new ChatSession(forgetful, { ...before, maxNewTokens: 3 })
    await say(chat, ' put key library . find key')
    const second = await say(chat, ' . put lamp hall . find lamp')
    expect([second.read, second.usage.reusedTokens, second.reread]).toEqual([7, 7, undefined])
    const fresh = await generate(model, '<|bos|> put key library . find key . put lamp hall . find lamp', {
      policy: 'full',
      maxNewTokens: 3,
    }).result()
    expect(second.ids).toEqual(fresh.ids)
  })

  it('reads everything again, and says so, when what was rewritten cannot be forgotten', async () => {
    for (const given of [
      { policy: 'h2o', budget: 64 },
      { policy: 'trimkv', budget: 6, buffer: 2 },
    ]) {
      using chat = new ChatSession(forgetful, { ...given, maxNewTokens: 3 })
      const first = await say(chat, ' put key library . find key')
      const second = await say(chat, ' . put lamp hall . find lamp')
      expect([first.reread, second.reread, second.read]).toEqual([undefined, 'rewritten', 7 + 7])
      expect(second.usage.reusedTokens).toBe(0)
    }
    using chat = new ChatSession(forgetful, { policy: 'h2o', budget: 64, maxNewTokens: 3 })
    await say(chat, ' put key library . find key')
    const second = await say(chat, ' . put lamp hall . find lamp')
    expect(second.read).toBe(7 + 7)
    const fresh = await generate(model, '<|bos|> put key library . find key . put lamp hall . find lamp', {
      policy: 'full',
      maxNewTokens: 3,
    }).result()
    expect(second.ids).toEqual(fresh.ids)
  })

  it('takes a message back when its answer is aborted or left, and goes on', async () => {
    using chat = new ChatSession(model, { policy: 'full', maxNewTokens: 20 })
    const controller = new AbortController()
    const reason = new Error('enough')
    const stopped = (async () => {
      for await (const event of chat.send(' put key barn . find key', controller.signal))
        if (event.type === 'token') controller.abort(reason)
    })()
    await expect(stopped).rejects.toBe(reason)
    for await (const event of chat.send(' put key attic .')) if (event.type === 'token') break
    expect(chat.messages).toEqual([])
    const answer = await say(chat, ' put key library . find key')
    expect(answer.read).toBe(7)
    expect(answer.text).toMatch(/^ library/)
  })

  it('keeps a turn whose loop is left at its last event', async () => {
    using chat = new ChatSession(model, { policy: 'full', maxNewTokens: 1 })
    for await (const event of chat.send(' put key library . find key')) if (event.type === 'done') break
    expect(chat.messages).toHaveLength(2)
    expect((await say(chat, ' . put lamp hall .')).read).toBe(6)
  })

  it('gives one answer at a time', async () => {
    using chat = new ChatSession(model, { policy: 'full', maxNewTokens: 2 })
    const first = chat.send(' put key library . find key')
    await first.next()
    await expect(say(chat, ' put lamp hall .')).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
    await first.return()
    expect((await say(chat, ' put lamp hall .')).read).toBe(5)
  })

  it('refuses a model without a template, and more tokens than it may hold', async () => {
    using plain = await loadModel(referenceModelDir)
    using untold = new ChatSession(plain)
    await expect(say(untold, 'hello')).rejects.toMatchObject({ code: 'TRIMKV_TEMPLATE' })
    using short = new ChatSession(model, { policy: 'full', maxTokens: 6, maxNewTokens: 2 })
    await expect(say(short, ' put key library . find key')).rejects.toMatchObject({
      code: 'TRIMKV_POSITION_LIMIT',
    })
  })

  it('frees what it took', async () => {
    const before = model.device.liveTensors()
    {
      using chat = new ChatSession(model, { budget: 8, buffer: 2, maxNewTokens: 2 })
      await say(chat, ' put key library .')
    }
    expect(model.device.liveTensors()).toBe(before)
  })
})
