import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel, type Model } from '@trimkv/engine'
import {
  downloadModel,
  type FileChoice,
  findDownloaded,
  gateFiles,
  hubCacheDir,
  modelFiles,
} from '@trimkv/hub'
import { fail } from '@trimkv/tensor'
import { bytesText } from '../terminal/number-text.ts'
import { startProgress } from '../terminal/progress.ts'
import type { CommandContext } from './cli-command.ts'
import { hubName } from './hub-cache.ts'
import type { Settings } from './settings.ts'

/** Flags that decide what is loaded. */
export type ModelSettingName = 'gates' | 'threads' | 'offline'

export const modelSettingNames: readonly ModelSettingName[] = ['gates', 'threads', 'offline']

const mebibyte = 2 ** 20

interface Wanted {
  /** A folder or GGUF file, or `org/name[@revision][:file.gguf]`. */
  readonly name: string
  readonly files: FileChoice
  readonly offline: boolean
}

/**
 * A path as it is, else that of a repository or one file of it in the cache of the Hugging Face tools, downloaded when it is
 * not there whole. What is there is taken as it is: a branch is not looked up again.
 */
export async function localFolder(
  { name, files, offline }: Wanted,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
): Promise<string> {
  if (existsSync(name)) return name
  const named = hubName(name)
  if (!named) {
    return fail('TRIMKV_NOT_FOUND', `There is no model ${name}`, {
      why: ['it is no folder or file, and not org/name[@revision][:file.gguf] of one to download'],
      hint: 'give the path of a folder with config.json and model.safetensors',
      details: { name },
    })
  }
  const { repo, revision, file } = named
  const choice: FileChoice = file === undefined ? files : { patterns: [file], required: [file] }
  const found = await findDownloaded(repo, { ...choice, revision })
  if (found) return join(found.dir, file ?? '')
  using progress = startProgress(terminal, { label: `downloading ${name}`, unit: 'MiB' })
  let isAnnounced = false
  const { dir } = await downloadModel(repo, {
    ...choice,
    ...(offline && { offline }),
    revision,
    signal,
    onProgress({ doneBytes, totalBytes }) {
      if (!isAnnounced)
        terminal.say(`downloading ${name}, ${bytesText(totalBytes)}, to ${hubCacheDir(process.env)}`)
      isAnnounced = true
      progress.update(doneBytes / mebibyte, totalBytes / mebibyte)
    },
  })
  return join(dir, file ?? '')
}

/** Loads the model named by the first argument and says what is unusual about it. */
export async function openModel(
  context: CommandContext,
  { gates, threads, offline }: Pick<Settings, ModelSettingName>,
): Promise<Model> {
  const { args, terminal, signal } = context
  const folder = await localFolder({ name: args[0]!, files: modelFiles, offline }, context)
  const gatesFolder =
    gates === undefined ? undefined : await localFolder({ name: gates, files: gateFiles, offline }, context)
  const model = await loadModel(folder, {
    signal,
    ...(gatesFolder !== undefined && { gates: gatesFolder }),
    ...(threads !== undefined && { threads }),
  })
  for (const warning of model.warnings) terminal.warn(`${terminal.talkColors.yellow('!')} ${warning}`)
  return model
}
