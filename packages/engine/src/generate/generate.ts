import { fail } from '@trimkv/tensor'
import type { Model } from '../load-model.ts'
import type { DoneEvent, GenerateEvent } from './events.ts'
import { generateBatch } from './generate-batch.ts'
import type { GenerateOptions } from './generate-options.ts'
import type { Prompt } from './prompt.ts'

/** An answer in the making. It runs while it is iterated, or when one of the helpers is called; once only. */
export interface Generation extends AsyncIterable<GenerateEvent> {
  /** Runs to the end and gives the text. */
  text(): Promise<string>
  /** Runs to the end and gives the last event: text, ids, usage. */
  result(): Promise<DoneEvent>
}

async function* withoutIndex(
  events: ReturnType<typeof generateBatch>,
): AsyncGenerator<GenerateEvent, void, undefined> {
  for await (const { index: _index, ...event } of events) yield event
}

/**
 * Answers one prompt. Leaving the loop early frees the cache.
 * ```ts
 * for await (const event of generate(model, 'Why is the sky blue?', { policy: 'trimkv', budget: 512 }))
 *   if (event.type === 'token') process.stdout.write(event.text)
 * ```
 * @throws (while it is iterated) as {@link generateBatch}
 */
export function generate(model: Model, prompt: Prompt, options: GenerateOptions = {}): Generation {
  const events = withoutIndex(generateBatch(model, [prompt], options))
  async function result(): Promise<DoneEvent> {
    for await (const event of events) if (event.type === 'done') return event
    return fail('TRIMKV_OPTION', 'This answer was already read', { hint: 'call generate again for another' })
  }
  return {
    [Symbol.asyncIterator]: () => events,
    result,
    text: async () => (await result()).text,
  }
}
