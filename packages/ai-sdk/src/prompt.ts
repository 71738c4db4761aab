import {
  type LanguageModelV3Message,
  type LanguageModelV3Prompt,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider'
import type { Model, Prompt } from '@trimkv/engine'
import type { ChatMessage } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import type { TrimkvSettings } from './settings.ts'

function unsupported(functionality: string): never {
  throw new UnsupportedFunctionalityError({
    functionality,
    message: `${functionality}: these models read and write text alone`,
  })
}

type Part = Exclude<LanguageModelV3Message['content'], string>[number]

/** The text of the parts of one kind. @throws UnsupportedFunctionalityError for a part that is no text */
function textOf(parts: readonly Part[], kind: 'text' | 'reasoning'): string {
  let text = ''
  for (const part of parts) {
    if (part.type === 'file') unsupported(`a file of type ${part.mediaType} in the prompt`)
    if (part.type !== 'text' && part.type !== 'reasoning') unsupported(`a ${part.type} in the prompt`)
    if (part.type === kind) text += part.text
  }
  return text
}

function messageOf(message: LanguageModelV3Message): ChatMessage {
  const { role, content } = message
  if (role === 'system') return { role, content }
  const text = textOf(content, 'text')
  const reasoning = textOf(content, 'reasoning')
  // The field that templates of models which think read it from.
  return { role, content: text, ...(reasoning !== '' && { reasoning_content: reasoning }) }
}

/** The one user message of a conversation without another. @throws TRIMKV_OPTION */
function rawText([message, ...others]: readonly ChatMessage[]): string {
  if (message?.role === 'user' && others.length === 0) return String(message.content)
  return fail('TRIMKV_OPTION', 'rawPrompt takes one user message and nothing else', {
    why: [`got ${[message, ...others].map((each) => each?.role ?? 'no message').join(', ')}`],
    hint: 'a system prompt and several turns need a chat template',
  })
}

/**
 * A prompt of the AI SDK as the engine reads it.
 * @throws UnsupportedFunctionalityError for files and tools; TRIMKV_TEMPLATE when the model has no chat template and
 *   `rawPrompt` is not set; TRIMKV_OPTION when it is, for more than one user message
 */
export async function promptOf(
  model: Model,
  prompt: LanguageModelV3Prompt,
  { rawPrompt, enableThinking }: TrimkvSettings,
): Promise<Prompt> {
  const messages = prompt.map(messageOf)
  if (rawPrompt) return rawText(messages)
  if (!(await model.chatTemplate())) {
    fail('TRIMKV_TEMPLATE', 'This model has no chat template', {
      why: [`${model.dir} has neither chat_template.jinja nor a chat_template in tokenizer_config.json`],
      hint: 'set rawPrompt: true to give one user message to it as it is',
    })
  }
  return { messages, ...(enableThinking !== undefined && { enableThinking }) }
}
