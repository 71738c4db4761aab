import { readFile } from 'node:fs/promises'
import { addAbortSignal } from 'node:stream'
import { text as readAll } from 'node:stream/consumers'
import type { Prompt } from '@trimkv/engine'
import { fail } from '@trimkv/tensor'
import type { Settings } from './settings.ts'

async function readInput(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    return fail('TRIMKV_NOT_FOUND', `${path} cannot be read`, { why: [(cause as Error).message], cause })
  }
}

/** Flags that give a text or its ids. */
export type TextSources = Partial<Pick<Settings, 'prompt' | 'promptFile' | 'ids' | 'idsFile'>>

/** @throws TRIMKV_OPTION when two flags give a text */
export function oneSource({ prompt, promptFile, ids, idsFile }: TextSources): void {
  const sources = { '--prompt': prompt, '--prompt-file': promptFile, '--ids': ids, '--ids-file': idsFile }
  const given = Object.entries(sources).filter(([, value]) => value !== undefined)
  if (given.length > 1)
    fail('TRIMKV_OPTION', `${given.map(([flag]) => flag).join(' and ')} exclude each other`)
}

/** Text of `--prompt`, `--prompt-file` or stdin. A single newline at the end of a file is not part of it. */
export async function promptText(sources: TextSources, signal: AbortSignal): Promise<string> {
  oneSource(sources)
  const { prompt, promptFile } = sources
  if (prompt !== undefined) return prompt
  if (promptFile === undefined && process.stdin.isTTY) {
    fail('TRIMKV_OPTION', 'There is no prompt', {
      hint: 'give --prompt TEXT, --prompt-file PATH, or text on stdin',
    })
  }
  const content =
    promptFile === undefined
      ? await readAll(addAbortSignal(signal, process.stdin))
      : await readInput(promptFile)
  return content.replace(/\r?\n$/, '')
}

/** The prompt of a command: text as it is, or a conversation with `--chat`. */
export async function promptOf(
  settings: Pick<Settings, 'prompt' | 'promptFile' | 'chat' | 'system'>,
  signal: AbortSignal,
): Promise<Prompt> {
  const content = await promptText(settings, signal)
  const { chat, system } = settings
  if (!chat) {
    if (system !== undefined)
      fail('TRIMKV_OPTION', '--system needs --chat', { why: ['plain text has no place for it'] })
    return content
  }
  return {
    messages: [
      ...(system === undefined ? [] : [{ role: 'system', content: system }]),
      { role: 'user', content },
    ],
  }
}

/** Ids of `--ids` or `--ids-file`; nothing when neither is given. */
export async function givenIds(sources: TextSources): Promise<readonly number[] | undefined> {
  oneSource(sources)
  const { ids, idsFile } = sources
  if (idsFile === undefined) return ids
  const { z } = await import('zod')
  const content = await readInput(idsFile)
  let json: unknown
  try {
    json = JSON.parse(content)
  } catch (cause) {
    fail('TRIMKV_FORMAT', `${idsFile} is not JSON`, { why: [(cause as Error).message], cause })
  }
  const parsed = z.array(z.int().min(0)).safeParse(json)
  if (parsed.success) return parsed.data
  return fail('TRIMKV_FORMAT', `${idsFile} is not a list of token ids`, {
    why: ['expected a JSON list such as [5, 17, 42]'],
  })
}
