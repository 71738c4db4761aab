import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  openCheckpoint,
  openSafetensors,
  openTorchFile,
  readModelConfig,
  type TensorListing,
} from '@trimkv/io'
import { Command } from 'commander'
import { type CacheSettingName, cacheSettingNames } from '../command-line/cache-settings.ts'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { factsText } from '../command-line/facts-text.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { modelFolder } from '../command-line/hub-cache.ts'
import { gatesFacts, modelFacts, tensorFacts } from '../command-line/inspect-facts.ts'
import { checkedSettings } from '../command-line/settings.ts'

const own = ['gates', 'context', 'json'] as const

const names: readonly ((typeof own)[number] | CacheSettingName)[] = [...own, ...cacheSettingNames]

/** The tensors of a file, or of a folder without a configuration. */
function listTensors(path: string): Promise<TensorListing> {
  if (existsSync(path) && statSync(path).isDirectory()) return openCheckpoint(path)
  return /\.(pth|pt)$/.test(path) ? openTorchFile(path) : openSafetensors(path)
}

async function run({ args, raw, terminal }: CommandContext): Promise<undefined> {
  const settings = await checkedSettings(raw, names)
  const path = await modelFolder(args[0]!, process.env)
  const isFolder = existsSync(join(path, 'config.json'))
  const isConfigured = isFolder || path.endsWith('.gguf')
  const isGates = isFolder && 'retention_gate' in (await readModelConfig(path)).raw
  const facts = isGates
    ? await gatesFacts(path)
    : isConfigured
      ? await modelFacts(path, settings)
      : tensorFacts(await listTensors(path))
  terminal.data(`${settings.json ? JSON.stringify(facts) : factsText(facts)}\n`)
}

/** `trimkv inspect`: what a folder or file holds and needs. */
export function inspectCommand(): CliCommand {
  const command = new Command('inspect')
    .argument(
      '<path>',
      'folder of a model or of gates, a .gguf, safetensors or .pth file, or org/name[@revision][:file.gguf] of a downloaded model',
    )
    .summary('what a model, gates or a tensor file hold')
    .description(
      'What a model, gates or a tensor file hold, and what a model will take in memory. Nothing is loaded.',
    )
    .option(
      '--context <n>',
      'tokens of the sequence to estimate (default: the longest the model was made for)',
    )
  return { command: withFlags(command, flags.model(), flags.budget(), flags.json()), run }
}
