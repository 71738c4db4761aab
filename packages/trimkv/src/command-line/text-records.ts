import { createReadStream, existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Model, Prompt } from '@trimkv/engine'
import { fail } from '@trimkv/tensor'

interface Wanted {
  readonly files: readonly string[]
  /** Records that are read at most, over all files. */
  readonly count: number
  readonly signal: AbortSignal
}

/**
 * The first records of files with one JSON record per line, encoded as training encodes them: `text`, `messages` with an
 * answer at the end, or `prompt` and `completion`. Empty lines and empty texts are passed over.
 * @throws TRIMKV_NOT_FOUND for a file, TRIMKV_FORMAT with file and line, TRIMKV_OPTION when there is no text
 */
export async function textRecords(
  model: Model,
  { files, count, signal }: Wanted,
): Promise<{ readonly ids: readonly number[] }[]> {
  const { encodeRecord } = await import('@trimkv/trainer')
  const template = await model.chatTemplate()
  // Whole: training leaves out a record whose answer would be cut off, and here its beginning serves as well.
  const whole = { maxLength: Number.MAX_SAFE_INTEGER }
  const options = { tokenizer: await model.tokenizer(), ...whole, ...(template && { template }) }
  const texts: Extract<Prompt, { ids: unknown }>[] = []
  for (const file of files) {
    if (!existsSync(file)) fail('TRIMKV_NOT_FOUND', `There is no file ${file}`, { details: { file } })
    let number = 0
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      signal.throwIfAborted()
      number++
      if (texts.length === count) return texts
      if (line.trim() === '') continue
      const document = encodeRecord(line, { file, line: number }, options)
      if (typeof document !== 'string') texts.push({ ids: Array.from(document.ids) })
    }
  }
  if (texts.length > 0) return texts
  return fail('TRIMKV_OPTION', `${files.join(' and ')} hold no text`, {
    hint: 'give one JSON record per line, such as {"text": "…"}',
  })
}
