import { type Conversation, conversationText, promptIds } from '../generate/prompt.ts'
import type { Model } from '../load-model.ts'
import { commonLength } from '../session/reuse-read.ts'

/** Where a conversation stood after its last answer. */
export interface Said {
  /** Ids the cache has read. */
  readonly read: readonly number[]
  /** Ids after these that belong to the answer and were not read; undefined when the text of the answer does not stand for its ids. */
  readonly pending: readonly number[] | undefined
}

/**
 * What the template adds to a conversation after its last answer, as ids; nothing unless a special token comes first, which
 * no tokenizer joins with what is before it.
 */
async function idsAfterAnswer(
  model: Model,
  before: Conversation,
  now: Conversation,
): Promise<readonly number[] | undefined> {
  const answer = before.messages.at(-1)
  if (answer?.role !== 'assistant' || typeof answer.content !== 'string') return undefined
  const asked = { ...before, messages: before.messages.slice(0, -1) }
  const past = (await conversationText(model, asked)) + answer.content
  const text = await conversationText(model, now)
  if (!text.startsWith(past)) return undefined
  const tokenizer = await model.tokenizer()
  const ids = tokenizer.encode(text.slice(past.length), { addSpecialTokens: false })
  return ids[0] !== undefined && tokenizer.isSpecial(ids[0]) ? ids : undefined
}

/**
 * The ids of a conversation that goes on. A text has many spellings in tokens, and an answer need not be the one its text is
 * encoded to: where the template only adds to what was said, the ids that were generated stay.
 * @throws as `promptIds`
 */
export async function continuedIds(
  model: Model,
  {
    before,
    now,
    said,
  }: { readonly before: Conversation; readonly now: Conversation; readonly said: Said | undefined },
): Promise<readonly number[]> {
  const ids = await promptIds(model, now)
  if (!said?.pending || commonLength(said.read, ids) === said.read.length) return ids
  const added = await idsAfterAnswer(model, before, now)
  return added ? [...said.read, ...said.pending, ...added] : ids
}
