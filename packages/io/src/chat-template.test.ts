import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { type ChatMessage, loadChatTemplate } from './chat-template.ts'
import { loadTokenizer } from './tokenizer.ts'

const folder = useTemporaryFolder()
const hi: readonly ChatMessage[] = [{ role: 'user', content: 'hi' }]

interface Case {
  readonly tokenizer: string
  readonly messages: ChatMessage[]
  readonly options: { add_generation_prompt?: boolean; enable_thinking?: boolean; tools?: unknown[] }
  readonly text?: string
  readonly ids?: number[]
  readonly error?: string
}
const cases: Case[] = JSON.parse(readFileSync(goldenPath('tokenizers/chat.json'), 'utf8'))

async function load(files: Readonly<Record<string, string | object>>) {
  const template = await loadChatTemplate(folder.folder(files))
  if (!template) throw new Error('no template')
  return template
}
const fromSource = (source: string) => load({ 'chat_template.jinja': source })

describe('loadChatTemplate', () => {
  it.each([...new Set(cases.map(({ tokenizer }) => tokenizer))])(
    'renders the recorded chats of %s',
    async (name) => {
      const dir = goldenPath(`tokenizers/${name}`)
      const template = await loadChatTemplate(dir)
      const tokenizer = await loadTokenizer(dir)
      for (const { messages, options, text, ids, error } of cases.filter(
        (entry) => entry.tokenizer === name,
      )) {
        const render = () =>
          template!.render(messages, {
            ...(options.add_generation_prompt !== undefined && {
              addGenerationPrompt: options.add_generation_prompt,
            }),
            ...(options.enable_thinking !== undefined && { enableThinking: options.enable_thinking }),
            ...(options.tools && { tools: options.tools }),
          })
        if (error !== undefined) {
          await expectTrimError(render, 'TRIMKV_TEMPLATE', new RegExp(error))
          continue
        }
        expect(render()).toBe(text)
        expect(tokenizer.encode(render(), { addSpecialTokens: false })).toEqual(ids)
      }
    },
  )

  it('covers a recorded error', () => {
    expect(cases.filter(({ error }) => error !== undefined).length).toBeGreaterThan(0)
  })

  it('is undefined for a model without one', async () => {
    expect(await loadChatTemplate(goldenPath('recall-small'))).toBeUndefined()
    expect(await loadChatTemplate(folder.folder({}))).toBeUndefined()
  })

  it('prefers the file over the configuration, whose special tokens still hold', async () => {
    const template = await load({
      'chat_template.jinja': 'file {{ bos_token }}{{ eos_token }}',
      'tokenizer_config.json': { chat_template: 'config', bos_token: { content: '<s>' }, eos_token: '</s>' },
    })
    expect(template.render(hi)).toBe('file <s></s>')
  })

  it('reads named templates, with one for tools', async () => {
    const template = await load({
      'tokenizer_config.json': {
        chat_template: [
          { name: 'default', template: 'plain' },
          { name: 'tool_use', template: 'tools {{ tools | length }}' },
        ],
      },
    })
    expect(template.render(hi)).toBe('plain')
    expect(template.render(hi, { tools: [{}, {}] })).toBe('tools 2')
  })

  it('defines what transformers defines and leaves the rest undefined', async () => {
    const source =
      '{{ tools is none }} {{ add_generation_prompt }} {{ enable_thinking is defined }} {{ depth }}'
    const template = await fromSource(source)
    expect(template.render(hi)).toBe('true false false ')
    expect(template.render(hi, { enableThinking: false, variables: { depth: 3 } })).toBe('true false true 3')
  })

  it('tells templates apart by their hash', async () => {
    const [a, same, b] = [await fromSource('a'), await fromSource('a'), await fromSource('b')]
    expect(a.hash).toBe(same.hash)
    expect(a.hash).not.toBe(b.hash)
    expect(a.hash).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('a template that fails', () => {
  it('gives its own message', async () => {
    const template = await fromSource("{{ raise_exception('roles must alternate') }}")
    const error = await expectTrimError(() => template.render(hi), 'TRIMKV_TEMPLATE', /roles must alternate/)
    expect(error.details.reason).toBe('roles must alternate')
  })

  it('is refused when it is no template', async () => {
    await expectTrimError(() => fromSource('{% if %}'), 'TRIMKV_TEMPLATE', /chat template failed/)
    await expectTrimError(
      () => fromSource(`{{ ${'('.repeat(50_000)} }}`),
      'TRIMKV_TEMPLATE',
      /chat template failed/,
    )
    const config = { 'tokenizer_config.json': { chat_template: [{ name: 'default' }] } }
    await expectTrimError(() => load(config), 'TRIMKV_FORMAT', /chat_template/)
    await expectTrimError(() => fromSource(' '.repeat(2 ** 20 + 1)), 'TRIMKV_FORMAT', /at most 1048576/)
  })

  it('is stopped when it does not end', async () => {
    const endless = '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}'
    const template = await fromSource(endless)
    await expectTrimError(() => template.render(hi), 'TRIMKV_TEMPLATE', /more than 2000 ms/)
  })

  it('cannot reach the host', async () => {
    const template = await fromSource('{{ process is defined }} {{ messages.constructor is defined }}')
    expect(template.render(hi)).toBe('false false')
  })
})
