import { statSync } from 'node:fs'
import { type Model, type Prompt, queryFilters } from '@trimkv/engine'
import { writeSafetensors } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import { Command } from 'commander'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { flags, repeated, withFlags } from '../command-line/flags.ts'
import { openModel } from '../command-line/open-model.ts'
import { givenIds, promptText } from '../command-line/prompt-input.ts'
import { checkedSettings, type Settings } from '../command-line/settings.ts'
import { checkNewTarget } from '../command-line/target-file.ts'
import { textRecords } from '../command-line/text-records.ts'
import { bytesText, countText } from '../terminal/number-text.ts'
import { startProgress } from '../terminal/progress.ts'

const own = ['data', 'texts', 'tokens', 'samples', 'prompt', 'promptFile', 'ids', 'idsFile'] as const

const names = [...own, 'out', 'json', 'threads', 'offline'] as const

type Sources = Pick<Settings, (typeof own)[number]>

/** What is not read from files is looked at before the model is loaded, which takes longer. */
async function givenText(settings: Sources, signal: AbortSignal): Promise<Prompt | undefined> {
  const { data, prompt, promptFile, ids, idsFile } = settings
  const isText = prompt !== undefined || promptFile !== undefined
  const isIds = ids !== undefined || idsFile !== undefined
  if (data.length > 0 && (isText || isIds)) fail('TRIMKV_OPTION', '--data excludes a text and ids beside it')
  if (data.length > 0) return undefined
  const list = await givenIds(settings)
  return list ? { ids: list } : promptText(settings, signal)
}

async function textsOf(
  model: Model,
  { given, settings, signal }: { given: Prompt | undefined; settings: Sources; signal: AbortSignal },
): Promise<readonly Prompt[]> {
  if (given !== undefined) return [given]
  const { data: files, texts: count } = settings
  return textRecords(model, { files, count, signal })
}

async function run(context: CommandContext): Promise<undefined> {
  const { terminal, signal, raw } = context
  const settings = await checkedSettings(raw, names)
  const { out, tokens, samples, json } = settings
  checkNewTarget(out, raw.force === true)
  const given = await givenText(settings, signal)
  using model = await openModel(context, { ...settings, gates: undefined })
  const texts = await textsOf(model, { given, settings, signal })
  using progress = startProgress(terminal, { label: 'read', unit: 'tokens' })
  let read = 0
  const { shape, data } = await queryFilters(model, texts, {
    tokens,
    samples,
    signal,
    onProgress: ({ processed, total }) => {
      read = processed
      progress.update(processed, total)
    },
  })
  progress[Symbol.dispose]()
  await writeSafetensors(out, { q_filters: { dtype: 'f32', shape, data } })
  const bytes = statSync(out).size
  const [layers, heads] = shape
  const text = `${out}  ${bytesText(bytes)}, ${layers} × ${heads} filters from ${countText(read)} tokens\n`
  terminal.data(
    json ? `${JSON.stringify({ file: out, bytes, shape, texts: texts.length, tokens: read })}\n` : text,
  )
}

/** `trimkv filters`: the file that the policy `q-filters` needs. */
export function filtersCommand(): CliCommand {
  const command = new Command('filters')
    .argument('<model>', 'model folder or .gguf file, or org/name[@revision][:file.gguf] of one to download')
    .summary('find the filters that the policy q-filters needs')
    .description(
      'Reads texts and finds, for every head, the direction that its queries mostly point in (Q-Filters, arXiv:2503.02812). The file belongs to this model and serves as --policy q-filters:filters=FILE. The paper reads 20 texts of 2048 tokens, like those the model will read.',
    )
    .option('--data <file>', 'texts, one JSON record per line; may be given several times', repeated)
    .option('--texts <n>', 'records that are read at most (default: 20)')
    .option('--tokens <n>', 'tokens read of each text (default: 2048)')
    .option('--samples <n>', 'queries of each head that are looked at, evenly (default: 3000)')
    .option('--out <file>', 'safetensors file to write, whole or not at all')
    .option('--force', 'replace a file that exists')
  withFlags(command, flags.threads(), flags.download(), flags.text(), flags.ids())
  return { command: withFlags(command, flags.json()), run }
}
