import { existsSync } from 'node:fs'
import { loadModel, type Model } from '@trimkv/engine'
import { fail } from '@trimkv/tensor'
import type { CommandContext } from './cli-command.ts'
import { hubCacheDir, modelFolder } from './hub-cache.ts'
import type { Settings } from './settings.ts'

/** Flags that decide what is loaded. */
export type ModelSettingName = 'gates' | 'threads'

export const modelSettingNames: readonly ModelSettingName[] = ['gates', 'threads']

function existingFolder(name: string): string {
  const folder = modelFolder(name, process.env)
  if (existsSync(folder)) return folder
  return fail('TRIMKV_NOT_FOUND', `There is no model ${name}`, {
    why: ['it is not a folder', `and nothing of this name was downloaded to ${hubCacheDir(process.env)}`],
    hint: 'give the path of a folder with config.json and model.safetensors',
    details: { name },
  })
}

/** Loads the model named by the first argument and says what is unusual about it. */
export async function openModel(
  { args, terminal, signal }: CommandContext,
  { gates, threads }: Pick<Settings, ModelSettingName>,
): Promise<Model> {
  const model = await loadModel(existingFolder(args[0]!), {
    signal,
    ...(gates !== undefined && { gates: existingFolder(gates) }),
    ...(threads !== undefined && { threads }),
  })
  for (const warning of model.warnings) terminal.warn(`${terminal.talkColors.yellow('!')} ${warning}`)
  return model
}
