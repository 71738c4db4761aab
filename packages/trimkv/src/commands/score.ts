import { type ScoreOptions, score, type TextScore } from '@trimkv/engine'
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
import { givenIds, promptText } from '../command-line/prompt-input.ts'
import { sayCache } from '../command-line/report-text.ts'
import { checkedSettings } from '../command-line/settings.ts'
import { startProgress } from '../terminal/progress.ts'

const own = ['policy', 'prompt', 'promptFile', 'ids', 'idsFile', 'json'] as const

const names: readonly ((typeof own)[number] | CacheSettingName | ModelSettingName)[] = [
  ...own,
  ...cacheSettingNames,
  ...modelSettingNames,
]

const summary = ({ ids, logProbs, perplexity }: TextScore): string =>
  [
    `tokens      ${ids.length}`,
    `log-prob    ${logProbs.reduce((a, b) => a + b, 0).toFixed(4)}`,
    `perplexity  ${perplexity.toPrecision(6)}`,
  ].join('\n')

async function run(context: CommandContext): Promise<undefined> {
  const settings = await checkedSettings(context.raw, names)
  const ids = await givenIds(settings)
  const text = ids ? { ids } : await promptText(settings, context.signal)
  const policy = await policyOption(settings.policy)
  using model = await openModel(context, settings)
  using progress = startProgress(context.terminal, { label: 'read', unit: 'tokens' })
  const options: ScoreOptions = {
    ...policy,
    ...cacheOptions(settings),
    signal: context.signal,
    onProgress: ({ processed, total }) => progress.update(processed, total),
  }
  const result = await score(model, text, options)
  progress[Symbol.dispose]()
  const { report, logProbs, perplexity } = result
  const data = { ids: result.ids, logProbs: Array.from(logProbs), perplexity, ...report }
  context.terminal.data(`${settings.json ? JSON.stringify(data) : summary(result)}\n`)
  sayCache(context.terminal, report, settings)
}

/** `trimkv score`: how likely a text is. */
export function scoreCommand(): CliCommand {
  const command = new Command('score')
    .argument('<model>', 'model folder or .gguf file, or org/name[@revision][:file.gguf] of one to download')
    .summary('log-probabilities and perplexity of a text')
    .description(
      'Log-probabilities and perplexity of a text under a cache policy. The text is read chunk by chunk, tokens of a chunk see all of it before them; --exact reads one token at a time.',
    )
  return {
    command: withFlags(
      command,
      flags.model(),
      flags.download(),
      flags.text(),
      flags.ids(),
      flags.policy(),
      flags.budget(),
      flags.dryRun(),
      flags.json(),
    ),
    names,
    run,
  }
}
