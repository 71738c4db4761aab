import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTrimkv, languageModel } from '@trimkv/ai-sdk'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { createProviderRegistry, generateText, NoSuchModelError } from 'ai'
import { load } from 'trimkv'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-ai-sdk-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The reference model with a template that names roles, so that the text it reads tells what it was given. */
function withTemplate(): string {
  const dir = join(folder, 'chat')
  cpSync(referenceModelDir, dir, { recursive: true })
  const message = '{{ m.content }}{% if m.reasoning_content %}{{ m.reasoning_content }}{% endif %}'
  writeFileSync(
    join(dir, 'chat_template.jinja'),
    `{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}put hat {% endif %}${message}{% endfor %}`,
  )
  return dir
}

describe('createTrimkv', () => {
  it('loads a model when it is called, and answers by its name through a registry', async () => {
    await using trimkv = createTrimkv({
      models: {
        small: {
          source: referenceModelDir,
          gates: referenceGatesDir,
          threads: 2,
          budget: 8,
          exact: true,
          rawPrompt: true,
        },
        missing: { source: join(folder, 'nothing') },
      },
    })
    const registry = createProviderRegistry({ trimkv })
    const prompt = 'put key library . ida smiles . find key'
    const model = registry.languageModel('trimkv:small')
    const { text, providerMetadata, response } = await generateText({ model, prompt, maxOutputTokens: 1 })
    expect(text.trim()).toBe('library')
    expect(response.modelId).toBe('small')
    expect(providerMetadata?.trimkv).toMatchObject({ policy: 'trimkv', budget: 8 })

    const missing = generateText({ model: trimkv('missing'), prompt, maxRetries: 0 })
    await expect(missing).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
  })

  it('opens no model but those it was given, and has none of another kind', () => {
    const trimkv = createTrimkv({ models: { small: { source: referenceModelDir } } })
    for (const ask of [
      () => trimkv(referenceModelDir),
      () => trimkv.languageModel('toString'),
      () => trimkv.embeddingModel('small'),
      () => trimkv.imageModel('small'),
    ]) {
      expect(ask).toThrow(NoSuchModelError)
    }
  })
})

describe('a conversation', () => {
  it('goes through the chat template of the model, system prompt and thoughts included', async () => {
    using loaded = await load(withTemplate(), { threads: 2 })
    const { text, usage } = await generateText({
      model: languageModel(loaded),
      system: 'barn . ',
      messages: [
        { role: 'user', content: 'put key library . ' },
        {
          role: 'assistant',
          content: [
            { type: 'reasoning', text: 'ida smiles . ' },
            { type: 'text', text: 'ben sleeps . ' },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'find ' },
            { type: 'text', text: 'hat' },
          ],
        },
      ],
      maxOutputTokens: 1,
    })
    const tokenizer = await loaded.model.tokenizer()
    const rendered = '<|bos|>put hat barn . put key library . ben sleeps . ida smiles . find hat'
    expect(usage.inputTokens).toBe(tokenizer.encode(rendered, { addSpecialTokens: false }).length)
    expect(text.trim()).toBe('barn')
  })

  it('needs a template for more than one message', async () => {
    using loaded = await load(referenceModelDir, { threads: 2 })
    const asked = generateText({
      model: languageModel(loaded, { rawPrompt: true }),
      system: 'Answer.',
      prompt: 'find key',
    })
    await expect(asked).rejects.toMatchObject({ code: 'TRIMKV_OPTION', why: ['got system, user'] })
  })
})
