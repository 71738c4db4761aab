import type { ChatMessage, ChatTemplate, Tokenizer } from '@trimkv/io'
import { TrimError } from '@trimkv/tensor'
import { completionDocument, type Document, hasTarget, truncateDocument } from './document.ts'
import { badLine, type LinePlace } from './line-scanner.ts'

/** The fields of a record that make a document: a text, a conversation, or a prompt and what to answer. */
export type RecordForm =
  | { readonly text: string }
  | { readonly messages: string }
  | { readonly prompt: string; readonly completion: string }

/** How records become documents. */
export interface RecordOptions {
  readonly tokenizer: Pick<Tokenizer, 'encode' | 'eosTokenId' | 'isSpecial'>
  /** Of the model. Conversations need it; a prompt and its completion become one where it is given. */
  readonly template?: ChatTemplate
  /** Names of the fields; unless given, what a record has of `messages`, `prompt` and `completion`, `text`, in this order. */
  readonly form?: RecordForm
  /** Shorter documents are left out, counted in characters of the whole text; 0 unless given. */
  readonly minCharacters?: number
  /** Longer documents lose their end, in tokens. */
  readonly maxLength: number
}

/** Why a record gives no document. */
export type LeftOut = 'short' | 'without-target'

type Fields = Readonly<Record<string, unknown>>

/**
 * Makes a document of a line of JSON. Every token of a text is a target, and the end token follows it. Of a conversation only
 * the last answer is; of a prompt and completion, only the completion. What comes before is encoded on its own, as it will be
 * when the model is asked.
 * @throws TrimError `TRIMKV_FORMAT` naming file and line when it is not JSON or has not the fields
 */
export function encodeRecord(line: string, place: LinePlace, options: RecordOptions): Document | LeftOut {
  const record = parseRecord(line, place)
  const form = options.form ?? formOf(record, place)
  const { prompt, completion } = textsOf(record, form, { ...options, place })
  if (!hasCharacters(prompt + completion, options.minCharacters ?? 0)) return 'short'
  const document = truncateDocument(encodeTexts({ prompt, completion }, form, options), options.maxLength)
  return hasTarget(document) ? document : 'without-target'
}

function parseRecord(line: string, place: LinePlace): Fields {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    return badLine(place, `expected JSON: ${(cause as Error).message}`, cause)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  return badLine(place, 'expected a JSON object')
}

function formOf(record: Fields, place: LinePlace): RecordForm {
  if ('messages' in record) return { messages: 'messages' }
  if ('prompt' in record && 'completion' in record) return { prompt: 'prompt', completion: 'completion' }
  if ('text' in record) return { text: 'text' }
  const names = Object.keys(record).slice(0, 8).join(', ')
  return badLine(place, `expected messages, prompt and completion, or text; got ${names || 'no field'}`)
}

interface Texts {
  /** Empty where the whole text is to be learnt. */
  readonly prompt: string
  readonly completion: string
}

function textsOf(
  record: Fields,
  form: RecordForm,
  { template, place }: RecordOptions & { readonly place: LinePlace },
): Texts {
  const text = (name: string): string => {
    const value = record[name]
    return typeof value === 'string' ? value : badLine(place, `expected a text in ${JSON.stringify(name)}`)
  }
  if ('text' in form) return { prompt: '', completion: text(form.text) }
  if ('messages' in form) return renderChat(messagesOf(record[form.messages], place), template, place)
  const [prompt, completion] = [text(form.prompt), text(form.completion)]
  if (!template) return { prompt, completion }
  const messages = [
    { role: 'user', content: prompt },
    { role: 'assistant', content: completion },
  ]
  return renderChat(messages, template, place)
}

function messagesOf(value: unknown, place: LinePlace): readonly ChatMessage[] {
  const isMessage = (entry: unknown): entry is ChatMessage =>
    typeof entry === 'object' && entry !== null && typeof (entry as ChatMessage).role === 'string'
  if (!Array.isArray(value) || !value.every(isMessage)) return badLine(place, 'expected messages with a role')
  if (value.at(-1)?.role === 'assistant') return value
  return badLine(place, 'expected a conversation that ends with an assistant message')
}

/** The text up to the last answer, and the rest. */
function renderChat(
  messages: readonly ChatMessage[],
  template: ChatTemplate | undefined,
  place: LinePlace,
): Texts {
  if (!template) return badLine(place, 'a conversation needs a chat template, and the model has none')
  const before = messages.slice(0, -1)
  try {
    const whole = template.render(messages)
    // A template may open an answer with words that the answer itself lacks, such as those that start thinking.
    const openings = [true, false].map((addGenerationPrompt) =>
      template.render(before, { addGenerationPrompt }),
    )
    const prompt = openings.find((opening) => whole.startsWith(opening))
    if (prompt !== undefined) return { prompt, completion: whole.slice(prompt.length) }
  } catch (cause) {
    if (!TrimError.isInstance(cause)) throw cause
    return badLine(place, cause.what, cause)
  }
  return badLine(
    place,
    'the chat template writes the messages before the last answer otherwise with it than without',
  )
}

function encodeTexts(
  { prompt, completion }: Texts,
  form: RecordForm,
  { tokenizer, template }: RecordOptions,
): Document {
  const isChat = 'messages' in form || ('prompt' in form && template !== undefined)
  const addSpecialTokens = !isChat
  if ('text' in form) return completionDocument([], withEnd(tokenizer.encode(completion), tokenizer))
  const given = tokenizer.encode(prompt, { addSpecialTokens })
  const learnt = tokenizer.encode(completion, { addSpecialTokens: false })
  return completionDocument(given, isChat ? learnt : withEnd(learnt, tokenizer))
}

/** A chat template writes the end of an answer itself; a text needs it, and one without tokens stays empty. */
function withEnd(ids: number[], { eosTokenId, isSpecial }: RecordOptions['tokenizer']): number[] {
  if (ids.every(isSpecial)) return []
  return eosTokenId === undefined || ids.at(-1) === eosTokenId ? ids : [...ids, eosTokenId]
}

/** Counts characters, not UTF-16 units, and no further than it must. */
function hasCharacters(text: string, least: number): boolean {
  if (text.length < least) return false
  if (text.length >= 2 * least) return true
  return [...text].length >= least
}
