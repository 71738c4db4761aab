import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import { type FileContent, type StagedFile, stageFile, syncFolder } from './atomic-write.ts'
import type { JsonObject } from './json-file.ts'

export const jsonText = (value: JsonObject): string => `${JSON.stringify(value, null, 2)}\n`

/** Files of a folder by their names. */
export type FilesToWrite = Readonly<Record<string, FileContent>>

const configName = 'config.json'

/**
 * Makes a folder of a model or of gates, or replaces what one holds. All files are written whole beside their places before
 * the first is put there, so nothing changes when there is no room for one of them. `config.json` is put there last, and where
 * more than one file changes an older one is taken away first: a folder without it is not taken for whole, and with
 * it all files given here belong together.
 * @param files texts and bytes that stand there already are left alone; an iterable that makes pieces is always written
 * @returns the paths of all files
 * @throws TrimError as `writeAtomically`
 */
export async function writeFolder(
  folder: string,
  config: JsonObject,
  files: FilesToWrite,
): Promise<string[]> {
  await mkdir(folder, { recursive: true }).catch((cause: Error) =>
    fail('TRIMKV_IO', `${folder} cannot be made`, { why: [cause.message], details: { folder }, cause }),
  )
  const all: FilesToWrite = { ...files, [configName]: jsonText(config) }
  const changed = new Map<string, FileContent>()
  for (const [name, content] of Object.entries(all)) {
    if (!(await isThere(join(folder, name), content))) changed.set(name, content)
  }
  const isMixed = changed.size > 1
  if (isMixed) changed.set(configName, all[configName]!)
  const staged: StagedFile[] = []
  try {
    for (const [name, content] of changed) staged.push(await stageFile(join(folder, name), content))
    if (isMixed) {
      await rm(join(folder, configName), { force: true })
      await syncFolder(folder)
    }
    for (const [index, file] of staged.entries()) {
      if (isMixed && index === staged.length - 1) await syncFolder(folder)
      await file.commit()
    }
    await syncFolder(folder)
  } finally {
    for (const file of staged) await file[Symbol.asyncDispose]()
  }
  return Object.keys(all).map((name) => join(folder, name))
}

async function isThere(path: string, content: FileContent): Promise<boolean> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  if (!(bytes instanceof Uint8Array)) return false
  const found = await readFile(path).catch(() => undefined)
  return found?.equals(bytes) ?? false
}
