import { statSync } from 'node:fs'
import { type Model, type Prompt, readPrefix, systemTokens } from '@trimkv/engine'
import { Command } from 'commander'
import {
  type CacheSettingName,
  cacheOptions,
  cacheSettingNames,
  policyOption,
} from '../command-line/cache-settings.ts'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { type ModelSettingName, modelSettingNames, openModel } from '../command-line/open-model.ts'
import { promptOf } from '../command-line/prompt-input.ts'
import { sayCache } from '../command-line/report-text.ts'
import { checkedSettings, type Settings } from '../command-line/settings.ts'
import { checkTarget } from '../command-line/target-file.ts'
import { bytesText, countText } from '../terminal/number-text.ts'
import { startProgress } from '../terminal/progress.ts'

const own = ['policy', 'prompt', 'promptFile', 'chat', 'system', 'pinSystem', 'output', 'json'] as const

type Name = (typeof own)[number] | CacheSettingName | ModelSettingName

const names: readonly Name[] = [...own, ...cacheSettingNames, ...modelSettingNames]

/** With a system message alone, what every conversation with it begins with. */
function prefixPrompt(
  settings: Pick<Settings, 'prompt' | 'promptFile' | 'chat' | 'system'>,
  signal: AbortSignal,
): Promise<Prompt> {
  const { chat, system, prompt, promptFile } = settings
  const isSystemAlone = chat && system !== undefined && prompt === undefined && promptFile === undefined
  return promptOf(isSystemAlone ? { ...settings, prompt: '' } : settings, signal)
}

async function pinOf(model: Model, prompt: Prompt, pinSystem: boolean): Promise<{ pin?: number }> {
  if (!pinSystem) return {}
  const messages = typeof prompt === 'object' && 'messages' in prompt ? prompt.messages : []
  return { pin: await systemTokens(model, { messages }) }
}

async function run(context: CommandContext): Promise<undefined> {
  const { terminal, signal, raw } = context
  const settings = await checkedSettings(raw, names)
  const { output, json } = settings
  checkTarget(output)
  const prompt = await prefixPrompt(settings, signal)
  const policy = await policyOption(settings.policy)
  using model = await openModel(context, settings)
  const pin = await pinOf(model, prompt, settings.pinSystem)
  using progress = startProgress(terminal, { label: 'reading', unit: 'tokens' })
  using prefix = await readPrefix(model, prompt, {
    ...policy,
    ...cacheOptions(settings),
    ...pin,
    signal,
    onProgress: ({ processed, total }) => progress.update(processed, total),
  })
  progress[Symbol.dispose]()
  await prefix.save(output, { signal })
  const { size } = statSync(output)
  const { report, ids } = prefix
  if (json) terminal.data(`${JSON.stringify({ file: output, bytes: size, tokens: ids.length, ...report })}\n`)
  else terminal.data(`${output}  ${bytesText(size)}, ${countText(ids.length)} tokens read\n`)
  sayCache(terminal, report, settings)
}

/** `trimkv cache save`: reads a text once, for `generate --prompt-cache`. */
export function cacheSaveCommand(): CliCommand {
  const command = new Command('save')
    .argument('<model>', 'model folder or .gguf file, or org/name[@revision][:file.gguf] of one to download')
    .summary('read a text and write what was read to a file')
    .description(
      'Reads a text into a cache and writes it to a file. `trimkv generate --prompt-cache FILE` then reads only what a prompt has beyond that text. With --chat and --system alone it is the system message, for every conversation with it.',
    )
    .option('-o, --output <file>', 'file to write; one that exists is replaced when the new one is whole')
  withFlags(command, flags.model(), flags.download(), flags.prompt(), flags.policy(), flags.budget())
  return {
    group: 'cache',
    command: withFlags(command, flags.pinSystem(), flags.dryRun(), flags.json()),
    names,
    run,
  }
}
