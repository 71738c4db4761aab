import { setImmediate } from 'node:timers/promises'
import type { ChatMessage } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import { type Conversation, type Prompt, promptIds } from '../generate/prompt.ts'
import type { Model } from '../load-model.ts'
import { commonLength } from '../session/reuse-read.ts'

/** What may come after a text. Tokenizers join letters, digits, spaces, line ends and marks each in their own way. */
const continuations = [
  'a',
  'A',
  '0',
  ' a',
  ' 0',
  '  ',
  '\n',
  '\n\n',
  '\r\n',
  '.',
  ',',
  '"',
  ')',
  "'s",
  'é',
  '語',
]

function continued(prompt: Exclude<Prompt, { ids: unknown }>, more: string): Prompt {
  if (typeof prompt === 'string') return prompt + more
  const last = prompt.messages.at(-1)
  if (!last || typeof last.content !== 'string') {
    return fail('TRIMKV_OPTION', 'The last message of a prefix must have a text')
  }
  return { ...prompt, messages: [...prompt.messages.slice(0, -1), { ...last, content: last.content + more }] }
}

/**
 * The first tokens of every prompt that begins with this one: without the last few that may join with what follows, and in
 * a conversation without what its template puts after the last message. Ids are taken as they are.
 * @throws as `promptIds`; `signal.reason` when aborted
 */
export async function stableIds(
  model: Model,
  prompt: Prompt,
  signal?: AbortSignal,
): Promise<readonly number[]> {
  if (typeof prompt !== 'string' && 'ids' in prompt) return promptIds(model, prompt)
  let stable: readonly number[] | undefined
  for (const more of continuations) {
    // All of the text each time: how far back what follows reaches is known to the tokenizer alone. Others get their turn between.
    const ids = await promptIds(model, continued(prompt, more))
    stable = stable ? stable.slice(0, commonLength(stable, ids)) : ids
    await setImmediate()
    signal?.throwIfAborted()
  }
  return stable!
}

/**
 * How many tokens of a conversation come before the first message of the user: its system message, as the template puts it.
 * @throws TRIMKV_OPTION without a system message; TRIMKV_TEMPLATE
 */
export async function systemTokens(model: Model, { messages, ...rest }: Conversation): Promise<number> {
  const system: ChatMessage[] = []
  for (const message of messages) {
    if (message.role !== 'system') break
    system.push(message)
  }
  if (system.length === 0) {
    fail('TRIMKV_OPTION', 'There is no system message to pin', { hint: 'begin the conversation with one' })
  }
  const opening = { ...rest, messages: [...system, { role: 'user', content: '' }] }
  return (await stableIds(model, opening)).length
}
