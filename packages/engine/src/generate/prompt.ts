import type { ChatMessage, Tokenizer } from '@trimkv/io'
import { fail, TrimError } from '@trimkv/tensor'
import type { Model } from '../load-model.ts'

/**
 * What an answer continues: text as it is, token ids, or a conversation in the chat template of the model.
 */
export type Prompt =
  | string
  | { readonly ids: readonly number[] }
  | {
      readonly messages: readonly ChatMessage[]
      /** For models that can think before they answer; absent leaves it to the template. */
      readonly enableThinking?: boolean
      readonly tools?: readonly unknown[]
    }

/** A conversation to answer. */
export type Conversation = Extract<Prompt, { messages: unknown }>

/**
 * A conversation as the template puts it, ending where the answer begins.
 * @throws TRIMKV_TEMPLATE when the model has no chat template or the template refuses the messages
 */
export async function conversationText(model: Model, prompt: Conversation): Promise<string> {
  const template = await model.chatTemplate()
  if (!template) {
    fail('TRIMKV_TEMPLATE', 'This model has no chat template', {
      why: [`${model.dir} has neither chat_template.jinja nor a chat_template in tokenizer_config.json`],
      hint: 'give the prompt as plain text',
    })
  }
  const { messages, enableThinking, tools } = prompt
  return template.render(messages, {
    addGenerationPrompt: true,
    ...(enableThinking !== undefined && { enableThinking }),
    ...(tools && { tools }),
  })
}

async function conversationIds(model: Model, prompt: Conversation): Promise<number[]> {
  const text = await conversationText(model, prompt)
  return (await model.tokenizer()).encode(text, { addSpecialTokens: false })
}

/**
 * The token ids of a prompt.
 * @throws TRIMKV_OPTION when it holds no token, TRIMKV_TEMPLATE, TRIMKV_NOT_FOUND without a tokenizer
 */
export async function promptIds(model: Model, prompt: Prompt): Promise<readonly number[]> {
  const ids = await encoded(model, prompt)
  if (ids.length === 0)
    fail('TRIMKV_OPTION', 'The prompt holds no tokens', { hint: 'give at least one token to go on from' })
  return ids
}

async function encoded(model: Model, prompt: Prompt): Promise<readonly number[]> {
  if (typeof prompt === 'string') return (await model.tokenizer()).encode(prompt)
  return 'ids' in prompt ? prompt.ids : conversationIds(model, prompt)
}

/** The tokenizer, or nothing for a model folder that holds none and so works by ids only. */
export async function tokenizerIfAny(model: Model): Promise<Tokenizer | undefined> {
  try {
    return await model.tokenizer()
  } catch (error) {
    if (TrimError.isInstance(error) && error.code === 'TRIMKV_NOT_FOUND') return undefined
    throw error
  }
}
