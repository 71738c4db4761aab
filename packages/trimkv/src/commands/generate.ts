import {
  type GenerateEvent,
  type GenerateOptions,
  type Generation,
  generate,
  loadPrefix,
  type Model,
  type Prefix,
} from '@trimkv/engine'
import { Command } from 'commander'
import {
  type CacheSettingName,
  cacheOptions,
  cacheSettingNames,
  policyOption,
  type SamplingSettingName,
  saidCacheOptions,
  samplingOptions,
  samplingSettingNames,
} from '../command-line/cache-settings.ts'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { type ModelSettingName, modelSettingNames, openModel } from '../command-line/open-model.ts'
import { printSamples } from '../command-line/print-samples.ts'
import { promptOf } from '../command-line/prompt-input.ts'
import { sayCache, speedText } from '../command-line/report-text.ts'
import { checkedSettings, type Settings } from '../command-line/settings.ts'
import { startProgress } from '../terminal/progress.ts'

const own = [
  'policy',
  'maxNew',
  'stop',
  'logprobs',
  'prompt',
  'promptFile',
  'chat',
  'system',
  'json',
  'jsonl',
  'pinSystem',
  'promptCache',
  'bestOf',
] as const

type Name = (typeof own)[number] | CacheSettingName | SamplingSettingName | ModelSettingName

const names: readonly Name[] = [...own, ...cacheSettingNames, ...samplingSettingNames, ...modelSettingNames]

/** Prints events as they come: text, or one JSON object a line. */
async function printEvents(
  answer: Generation,
  { terminal }: CommandContext,
  settings: Pick<Settings, 'json' | 'jsonl' | 'budget' | 'buffer' | 'exact'>,
): Promise<void> {
  const form = settings.jsonl ? 'jsonl' : settings.json ? 'json' : 'text'
  const tokens: Extract<GenerateEvent, { type: 'token' }>[] = []
  using progress = startProgress(terminal, { label: 'prompt', unit: 'tokens' })
  for await (const event of answer) {
    if (form === 'jsonl') terminal.data(`${JSON.stringify(event)}\n`)
    if (event.type === 'prefill') progress.update(event.processed, event.total)
    if (event.type === 'token') {
      if (tokens.length === 0) progress[Symbol.dispose]()
      tokens.push(event)
      if (form === 'text') terminal.data(event.text)
    }
    if (event.type !== 'done') continue
    const { type: _type, ...done } = event
    if (form === 'json') terminal.data(`${JSON.stringify({ ...done, tokens })}\n`)
    if (form === 'text') terminal.data('\n')
    terminal.say(speedText(done.usage))
    sayCache(terminal, done.usage, settings)
  }
}

/** The prefix of `--prompt-cache`; nothing when none is asked for. */
const openPrefix = async (
  model: Model,
  file: string | undefined,
  options: Parameters<typeof loadPrefix>[2],
): Promise<Prefix | undefined> => (file === undefined ? undefined : loadPrefix(model, file, options))

async function run(context: CommandContext): Promise<undefined> {
  const settings = await checkedSettings(context.raw, names)
  const { maxNew, stop, logprobs } = settings
  const prompt = await promptOf(settings, context.signal)
  const policy = await policyOption(settings.policy)
  using model = await openModel(context, settings)
  const said = { ...policy, ...saidCacheOptions(settings, context.raw) }
  using prefix = await openPrefix(model, settings.promptCache, { ...said, signal: context.signal })
  const options: GenerateOptions = {
    ...(prefix ? { ...said, prefix } : { ...policy, ...cacheOptions(settings) }),
    ...(settings.pinSystem && { pinSystem: true }),
    ...samplingOptions(settings),
    ...(maxNew !== undefined && { maxNewTokens: maxNew }),
    ...(logprobs !== undefined && { logProbs: logprobs }),
    stop,
    signal: context.signal,
  }
  if (settings.bestOf === undefined) {
    await printEvents(generate(model, prompt, options), context, settings)
  } else {
    const samples = { ...options, samples: settings.bestOf }
    await printSamples({ model, prompt, options: samples }, context.terminal, settings)
  }
}

/** `trimkv generate`: answers one prompt. */
export function generateCommand(): CliCommand {
  const command = new Command('generate')
    .argument('<model>', 'model folder or .gguf file, or org/name[@revision][:file.gguf] of one to download')
    .summary('answer one prompt')
    .description(
      'Answers one prompt: text as it is, or as a conversation with --chat. The answer goes to stdout.',
    )
  withFlags(command, flags.model(), flags.download(), flags.prompt(), flags.promptCache(), flags.policy())
  withFlags(command, flags.budget(), flags.pinSystem(), flags.sampling())
  command.option(
    '--best-of <n>',
    'draw n answers with seeds one after the other, and give the most likely; the prompt is read once',
  )
  command.option(
    '--logprobs <n>',
    'report log-probabilities and the n most likely tokens, with --json or --jsonl',
  )
  return { command: withFlags(command, flags.dryRun(), flags.json(), flags.jsonl()), names, run }
}
