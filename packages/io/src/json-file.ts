import { access } from 'node:fs/promises'
import { openFileReader } from './file-reader.ts'
import { malformed } from './malformed.ts'

/** A JSON object whose fields are not checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Configurations are a few KiB; tokenizers of large vocabularies are tens of MiB. */
const largestFile = 256 * 1024 * 1024

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads a text file as UTF-8.
 * @throws TrimError `TRIMKV_NOT_FOUND`, `TRIMKV_IO`, or `TRIMKV_FORMAT` when it is too large or not UTF-8
 */
export async function readText(path: string, maxBytes: number = largestFile): Promise<string> {
  await using reader = await openFileReader(path)
  if (reader.size > maxBytes) {
    malformed({ file: path, field: 'size', expected: `at most ${maxBytes} bytes`, got: reader.size })
  }
  return decodeUtf8(await reader.read(0, reader.size), path, 'text')
}

/**
 * Reads a JSON file that holds one object.
 * @throws TrimError as {@link readText}, and `TRIMKV_FORMAT` when it is not such JSON
 */
export const readJsonObject = async (path: string): Promise<JsonObject> =>
  parseJsonObject(await readText(path), path, 'content')

/** As {@link readJsonObject}; undefined when there is no such file. */
export async function readJsonObjectIfAny(path: string): Promise<JsonObject | undefined> {
  return (await fileExists(path)) ? readJsonObject(path) : undefined
}

export const fileExists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** @throws TrimError `TRIMKV_FORMAT` when `bytes` are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array, file: string, field: string): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    return malformed({ file, field, expected: 'UTF-8', got: 'other bytes', cause })
  }
}

/** @throws TrimError `TRIMKV_FORMAT` when `text` is not strict JSON of one object, or nested too deeply */
export function parseJsonObject(text: string, file: string, field: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const hint = /\b(?:NaN|Infinity)\b/.test(text)
      ? 'NaN and Infinity, which Python writes, are not JSON'
      : 'the file may be truncated or a Git LFS pointer; fetch it again'
    malformed({ file, field, expected: 'JSON', got: cause, hint, cause })
  }
  if (!isJsonObject(value)) malformed({ file, field, expected: 'a JSON object', got: typeof value })
  if (isDeeper(value, deepestNesting)) {
    malformed({ file, field, expected: `at most ${deepestNesting} levels of nesting`, got: 'more' })
  }
  return value
}

/** No file needs a tenth of it; what walks a value may then recurse. */
const deepestNesting = 200

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1)))

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The first key that stands twice in one object of `json`, which `JSON.parse` would drop silently.
 * @param json text that `JSON.parse` accepts
 */
export function duplicateKey(json: string): string | undefined {
  const open: Set<string>[] = []
  for (const [token, string, colon] of json.matchAll(/("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (string !== undefined && colon !== undefined) {
      const key: string = JSON.parse(string)
      if (open.at(-1)?.has(key)) return key
      open.at(-1)?.add(key)
    }
  }
  return undefined
}
