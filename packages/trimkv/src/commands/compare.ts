import {
  type CompareOptions,
  type Comparison,
  compare,
  type Model,
  mostTellingHead,
  type PolicyInput,
} from '@trimkv/engine'
import { Command } from 'commander'
import {
  type CacheSettingName,
  cacheOptions,
  cacheSettingNames,
  type SamplingSettingName,
  samplingOptions,
  samplingSettingNames,
} from '../command-line/cache-settings.ts'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { comparisonTable, comparisonText } from '../command-line/comparison-text.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { type ModelSettingName, modelSettingNames, openModel } from '../command-line/open-model.ts'
import { promptOf } from '../command-line/prompt-input.ts'
import { checkedSettings } from '../command-line/settings.ts'
import { readPolicy, splitPolicies } from '../policy-file.ts'
import { paintLegend } from '../terminal/painted-tokens.ts'

const own = [
  'policies',
  'maxNew',
  'stop',
  'forceReference',
  'prompt',
  'promptFile',
  'chat',
  'system',
  'json',
  'jsonl',
] as const

type Name = (typeof own)[number] | CacheSettingName | SamplingSettingName | ModelSettingName

const names: readonly Name[] = [...own, ...cacheSettingNames, ...samplingSettingNames, ...modelSettingNames]

/** One run as data; painted tokens become the positions of one head. */
function runData({ run, promptIds }: Comparison): object {
  const head = mostTellingHead(run.kept, promptIds.length + run.ids.length - 1)
  return { ...run, head }
}

async function printRuns(
  model: Model,
  runs: AsyncGenerator<Comparison>,
  context: CommandContext,
): Promise<Comparison[]> {
  const { terminal, raw } = context
  const tokenizer = await model.tokenizer()
  const done: Comparison[] = []
  for await (const comparison of runs) {
    done.push(comparison)
    if (raw.jsonl) terminal.data(`${JSON.stringify(runData(comparison))}\n`)
    else if (!raw.json)
      terminal.data(`${comparisonText(comparison, tokenizer.pieces(comparison.promptIds), terminal)}\n\n`)
  }
  return done
}

async function run(context: CommandContext): Promise<undefined> {
  const settings = await checkedSettings(context.raw, names)
  const { maxNew, stop, forceReference, json, jsonl } = settings
  const policies: PolicyInput[] = []
  for (const text of splitPolicies(settings.policies)) policies.push(await readPolicy(text))
  const prompt = await promptOf(settings, context.signal)
  using model = await openModel(context, settings)
  const options: CompareOptions = {
    ...cacheOptions(settings),
    ...samplingOptions(settings),
    ...(maxNew !== undefined && { maxNewTokens: maxNew }),
    stop,
    policies,
    forceReference,
    signal: context.signal,
  }
  const { terminal } = context
  if (!json && !jsonl)
    terminal.say(`prompt tokens at the end: ${paintLegend({ colors: terminal.talkColors })}`)
  const runs = await printRuns(model, compare(model, prompt, options), context)
  if (json) terminal.data(`${JSON.stringify({ promptIds: runs[0]?.promptIds, runs: runs.map(runData) })}\n`)
  else if (!jsonl) terminal.data(`${comparisonTable(runs)}\n`)
}

/** `trimkv compare`: one prompt under several policies. */
export function compareCommand(): CliCommand {
  const command = new Command('compare')
    .argument('<model>', 'model folder or .gguf file, or org/name[@revision][:file.gguf] of one to download')
    .summary('one prompt under several policies')
    .description(
      'Answers one prompt under several policies and shows what each kept. The full cache always runs first: the others are measured against it.',
    )
  withFlags(
    command,
    flags.model(),
    flags.download(),
    flags.prompt(),
    flags.policies(),
    flags.budget(),
    flags.dryRun(),
    flags.sampling(),
  )
  command.option('--force-reference', 'make every policy read the answer of the full cache')
  return { command: withFlags(command, flags.json(), flags.jsonl()), names, run }
}
