import { type ChatTemplate, loadChatTemplate, loadTokenizer } from '@trimkv/io'
import { describe, expect, it } from 'vitest'
import type { Document } from './document.ts'
import { encodeRecord, type RecordOptions } from './encode-record.ts'

const [begin, end] = [1, 2]

/** One token per character, a begin token where special tokens are wanted. */
const tokenizer: RecordOptions['tokenizer'] = {
  encode: (text, { addSpecialTokens = true } = {}) => [
    ...(addSpecialTokens ? [begin] : []),
    ...Array.from(text, (character) => character.codePointAt(0)!),
  ],
  eosTokenId: end,
  isSpecial: (id) => id <= end,
}

/** Writes `<u>hi<a>yes.`, in which the last letter of the role and a full stop stand for its tokens. */
const template: ChatTemplate = {
  hash: '',
  render: (messages, { addGenerationPrompt = false } = {}) =>
    `${messages.map(({ role, content }) => `<${role[0]}>${String(content)}${role === 'assistant' ? '.' : ''}`).join('')}${addGenerationPrompt ? '<a>' : ''}`,
}

const place = { file: 'data.jsonl', line: 7 }
const plain = { tokenizer, maxLength: 100 }
const encode = (record: unknown, options: Partial<RecordOptions> = {}) =>
  encodeRecord(JSON.stringify(record), place, { ...plain, ...options })

function documentOf(record: unknown, options?: Partial<RecordOptions>): Document {
  const document = encode(record, options)
  if (typeof document === 'string') expect.fail(`left out: ${document}`)
  return document
}

const textOf = (ids: Iterable<number>): string =>
  Array.from(ids, (id) => (id === begin ? '[' : id === end ? ']' : String.fromCodePoint(id))).join('')

/** The text with `_` for every token that is no target; weights must say the same. */
function learnt({ ids, labels, weights }: Document): string {
  expect([...weights]).toEqual(Array.from(labels, (label) => (label === -100 ? 0 : 1)))
  expect(labels.every((label, i) => label === -100 || label === ids[i])).toBe(true)
  return Array.from(labels, (label, i) => (label === -100 ? '_' : textOf([ids[i]!]))).join('')
}

describe('encodeRecord', () => {
  it('learns every token of a text, and its end', () => {
    const document = documentOf({ text: 'abc' })
    expect(textOf(document.ids)).toBe('[abc]')
    expect(learnt(document)).toBe('[abc]')
  })

  it('learns a completion alone', () => {
    const document = documentOf({ prompt: 'ab', completion: 'cd' })
    expect(textOf(document.ids)).toBe('[abcd]')
    expect(learnt(document)).toBe('___cd]')
  })

  it('takes the fields it is told', () => {
    const record = { problem: 'ab', solution: 'cd', text: 'other', messages: [] }
    const form = { prompt: 'problem', completion: 'solution' }
    expect(learnt(documentOf(record, { form }))).toBe('___cd]')
    expect(learnt(documentOf({ body: 'x' }, { form: { text: 'body' } }))).toBe('[x]')
    const turns = [{ role: 'assistant', content: 'b' }]
    const talk = { form: { messages: 'turns' }, template }
    expect(learnt(documentOf({ turns }, talk))).toBe('___b.')
  })

  it('learns the last answer of a conversation alone, by the chat template, without further special tokens', () => {
    const messages = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'yes' },
      { role: 'user', content: 'so' },
      { role: 'assistant', content: 'no' },
    ]
    const document = documentOf({ messages }, { template })
    expect(textOf(document.ids)).toBe('<u>hi<a>yes.<u>so<a>no.')
    expect(learnt(document)).toBe('____________________no.')
  })

  it('puts a prompt and its completion into the chat template where there is one', () => {
    const document = documentOf({ prompt: 'hi', completion: 'yes' }, { template })
    expect(textOf(document.ids)).toBe('<u>hi<a>yes.')
    expect(learnt(document)).toBe('________yes.')
  })

  it('masks up to the answer when the template opens answers with other words than they have', () => {
    const thinking: ChatTemplate = {
      ...template,
      render: (messages, options) =>
        template.render(messages, options) + (options?.addGenerationPrompt ? '<t>' : ''),
    }
    const messages = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'yes' },
    ]
    expect(learnt(documentOf({ messages }, { template: thinking }))).toBe('_____<a>yes.')
  })

  it('cuts the end of what is too long, and keeps the labels of the rest', () => {
    const document = documentOf({ prompt: 'ab', completion: 'cdef' }, { maxLength: 5 })
    expect(learnt(document)).toBe('___cd')
    expect(document.weights).toHaveLength(5)
  })

  it('leaves out what has nothing to learn', () => {
    expect(encode({ text: '' })).toBe('without-target')
    expect(encode({ prompt: 'ab', completion: '' })).toBe('without-target')
    expect(encode({ prompt: 'abcdef', completion: 'gh' }, { maxLength: 7 })).toBe('without-target')
    const noBegin = {
      ...tokenizer,
      encode: (text: string) => Array.from(text, () => 9),
      eosTokenId: undefined,
    }
    expect(encode({ text: 'x' }, { tokenizer: noBegin })).toBe('without-target')
    expect(encode({ text: 'xy' }, { tokenizer: noBegin })).not.toBe('without-target')
  })

  it('leaves out what is short, counted in characters of the whole text', () => {
    const filter = { minCharacters: 4 }
    expect(encode({ text: 'abc' }, filter)).toBe('short')
    expect(learnt(documentOf({ text: 'abcd' }, filter))).toBe('[abcd]')
    expect(encode({ prompt: 'ab', completion: 'c' }, filter)).toBe('short')
    expect(learnt(documentOf({ prompt: 'ab', completion: 'cd' }, filter))).toBe('___cd]')
    expect(encode({ text: '😀😀😀' }, filter)).toBe('short')
    expect(learnt(documentOf({ text: '😀😀😀😀' }, filter))).toBe('[😀😀😀😀]')
  })

  it.each([
    ['{"text": "cut off', /expected JSON/],
    ['[1]', /a JSON object/],
    ['{"question": "a"}', /messages, prompt and completion, or text; got question/],
    ['{"text": 3}', /a text in "text"/],
    ['{"prompt": "a", "completion": null}', /a text in "completion"/],
    ['{"messages": "hi"}', /messages with a role/],
    ['{"messages": [{"content": "hi"}]}', /messages with a role/],
    ['{"messages": [{"role": "user", "content": "hi"}]}', /ends with an assistant message/],
    ['{"messages": [{"role": "assistant", "content": "hi"}]}', /needs a chat template/],
  ])('names file and line of %s', (line, message) => {
    const work = () => encodeRecord(line, place, plain)
    expect(work).toThrow(/^data\.jsonl:7 is no document/)
    expect(work).toThrow(message)
    expect(work).toThrow(
      expect.objectContaining({ code: 'TRIMKV_FORMAT', details: { file: 'data.jsonl', line: 7 } }),
    )
  })

  it.each([
    ['qwen2-bpe', 'yes<|im_end|>\n'],
    ['llama3-bpe', 'yes<|eot_id|>'],
    ['sentencepiece-bpe', 'yes<|end|></s>'],
  ])('learns the answer alone with the template and tokenizer of %s', async (name, answer) => {
    const dir = new URL(`../../../../e2e/golden/tokenizers/${name}`, import.meta.url).pathname
    const [real, chat] = [await loadTokenizer(dir), await loadChatTemplate(dir)]
    const messages = [
      { role: 'user', content: 'hi there' },
      { role: 'assistant', content: 'yes' },
    ]
    const { ids, labels } = documentOf({ messages }, { tokenizer: real, template: chat! })
    expect(real.decode(ids.filter((_, i) => labels[i] !== -100))).toBe(answer)
    const prompt = chat!.render(messages.slice(0, 1), { addGenerationPrompt: true })
    expect([...ids.filter((_, i) => labels[i] === -100)]).toEqual(
      real.encode(prompt, { addSpecialTokens: false }),
    )
  })

  it('refuses a conversation that the template writes otherwise without its last answer', () => {
    const counting: ChatTemplate = { ...template, render: (messages) => `${messages.length}` }
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ]
    expect(() => encode({ messages }, { template: counting })).toThrow(/data\.jsonl:7.*otherwise/s)
  })
})
