import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import {
  type FileContent,
  makeFolder,
  removeFile,
  type StagedFile,
  stageFile,
  syncFolder,
} from './atomic-write.ts'
import { gateFiles } from './gates-checkpoint.ts'
import type { JsonObject } from './json-file.ts'
import { unfinishedFilesIn } from './unfinished-files.ts'

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
 * @throws TrimError as `writeAtomically`; `TRIMKV_LOCKED` while another process of this machine writes such files there
 */
export const writeFolder = (folder: string, config: JsonObject, files: FilesToWrite): Promise<string[]> =>
  replaceFiles(folder, { ...files, [configName]: jsonText(config) }, () => false)

/**
 * As {@link writeFolder} for a whole model: files of another one that these do not replace, which would be read with
 * them, go with its `config.json`. Files that no model has stay.
 */
export const writeModelFolder = (
  folder: string,
  config: JsonObject,
  files: FilesToWrite,
): Promise<string[]> =>
  replaceFiles(folder, { ...files, [configName]: jsonText(config) }, (name) => {
    // Gates of the folder are those of the model only where its configuration describes some.
    return isModelFile(name) || (config.retention_gate !== undefined && isGateFile(name))
  })

const modelFiles = new Set([
  configName,
  'model.safetensors',
  'model.safetensors.index.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
  'chat_template.jinja',
  'chat_template.json',
])
const shardName = /^model-\d+-of-\d+\.safetensors$/
const isModelFile = (name: string): boolean => modelFiles.has(name) || shardName.test(name)
const isGateFile = (name: string): boolean => Object.values<string>(gateFiles).includes(name)

/** Names of the files in a folder that are taken for parts of a model, here or by the tools of Hugging Face. */
export const modelFilesIn = async (folder: string): Promise<string[]> =>
  (await filesIn(folder)).filter(isModelFile)

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  return entries.flatMap((entry) => (entry.isDirectory() ? [] : [entry.name])).sort()
}

/** @param isObsolete of files that `all` does not have */
async function replaceFiles(
  folder: string,
  all: FilesToWrite,
  isObsolete: (name: string) => boolean,
): Promise<string[]> {
  makeFolder(folder)
  // First, so that other writers see this one as long as it works.
  await using config = await stageFile(join(folder, configName), all[configName]!)
  await refuseOtherWriters(folder, all, config)
  const changed: string[] = []
  for (const [name, content] of Object.entries(all)) {
    if (!(await isThere(join(folder, name), content))) changed.push(name)
  }
  const obsolete = (await filesIn(folder)).filter((name) => isObsolete(name) && !Object.hasOwn(all, name))
  const isMixed = changed.length + obsolete.length > 1
  const staged: StagedFile[] = []
  try {
    for (const name of changed) {
      if (name !== configName) staged.push(await stageFile(join(folder, name), all[name]!))
    }
    if (isMixed) {
      await removeFile(join(folder, configName))
      await syncFolder(folder)
    }
    for (const name of obsolete) await removeFile(join(folder, name))
    for (const file of staged) await file.commit()
    if (isMixed) await syncFolder(folder)
    if (isMixed || changed.includes(configName)) await config.commit()
    await syncFolder(folder)
  } finally {
    for (const file of staged) await file[Symbol.asyncDispose]()
  }
  return Object.keys(all).map((name) => join(folder, name))
}

/**
 * Two that put their files in their places at once would mix them. Of two that begin at once each may see the other: then
 * none writes.
 */
async function refuseOtherWriters(folder: string, all: FilesToWrite, own: StagedFile): Promise<void> {
  const isPart = (name: string): boolean => Object.hasOwn(all, name) || isModelFile(name) || isGateFile(name)
  const other = (await unfinishedFilesIn(folder)).find(
    ({ path, name, isAbandoned }) => !isAbandoned && path !== own.unfinishedPath && isPart(name),
  )
  if (!other) return
  fail('TRIMKV_LOCKED', `${folder} is being written`, {
    why: [`process ${other.pid} writes ${other.name} there`],
    hint: 'wait for it or stop it, or choose another folder',
    details: { folder, pid: other.pid },
  })
}

async function isThere(path: string, content: FileContent): Promise<boolean> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  if (!(bytes instanceof Uint8Array)) return false
  const found = await readFile(path).catch(() => undefined)
  return found?.equals(bytes) ?? false
}
