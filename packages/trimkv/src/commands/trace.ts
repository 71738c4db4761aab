import { type KeptSets, type Trace, trace } from '@trimkv/engine'
import { writeSafetensors } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
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
import { givenIds } from '../command-line/prompt-input.ts'
import { sayCache } from '../command-line/report-text.ts'
import { checkedSettings } from '../command-line/settings.ts'
import { checkTarget } from '../command-line/target-file.ts'
import { startProgress } from '../terminal/progress.ts'
import { tableText } from '../terminal/table-text.ts'

const own = ['policy', 'ids', 'idsFile', 'steps', 'force', 'tensors', 'json'] as const

const names: readonly ((typeof own)[number] | CacheSettingName | ModelSettingName)[] = [
  ...own,
  ...cacheSettingNames,
  ...modelSettingNames,
]

/** `0-3 7 9-12` */
function ranges(positions: readonly number[]): string {
  const runs: [number, number][] = []
  for (const position of positions) {
    const last = runs.at(-1)
    if (last && last[1] === position - 1) last[1] = position
    else runs.push([position, position])
  }
  return runs.map(([start, end]) => (start === end ? start : `${start}-${end}`)).join(' ')
}

function keptTable(kept: KeptSets): string {
  const rows = kept.flatMap((heads, layer) =>
    heads.map((positions, head) => [`${layer}`, `${head}`, ranges(positions)]),
  )
  return tableText(
    [{ header: 'layer', align: 'right' }, { header: 'head', align: 'right' }, { header: 'kept at the end' }],
    rows,
  )
}

async function writeTensors(path: string, { tensors }: Trace): Promise<void> {
  const entries = Array.from(
    tensors,
    ([name, { shape, data }]) => [name, { dtype: 'f32', shape, data }] as const,
  )
  await writeSafetensors(path, Object.fromEntries(entries))
}

async function run(context: CommandContext): Promise<undefined> {
  const settings = await checkedSettings(context.raw, names)
  const { steps, force, exact, tensors, json } = settings
  if (tensors !== undefined) checkTarget(tensors)
  const ids = await givenIds(settings)
  if (!ids) fail('TRIMKV_OPTION', 'There are no ids', { hint: 'give --ids 5,17,42 or --ids-file ids.json' })
  const policy = await policyOption(settings.policy)
  using model = await openModel(context, settings)
  using progress = startProgress(context.terminal, { label: 'read', unit: 'tokens' })
  const result = await trace(model, ids, {
    ...(exact ? {} : { buffer: 1, chunk: 0 }),
    ...policy,
    ...cacheOptions(settings),
    steps,
    ...(force && { force }),
    tensors: tensors !== undefined,
    signal: context.signal,
    onProgress: ({ processed, total }) => progress.update(processed, total),
  })
  progress[Symbol.dispose]()
  if (tensors !== undefined) await writeTensors(tensors, result)
  const { tokens, kept, report } = result
  const { meter, ...cache } = report
  const data = json
    ? JSON.stringify({ tokens, kept, memory: { ...meter, ...cache } })
    : `tokens ${tokens.join(' ')}\n\n${keptTable(kept.at(-1)!)}`
  context.terminal.data(`${data}\n`)
  sayCache(context.terminal, report, settings)
}

/** `trimkv trace`: what a policy keeps, step by step. */
export function traceCommand(): CliCommand {
  const command = new Command('trace')
    .argument('<model>', 'model folder or .gguf file, or org/name[@revision][:file.gguf] of one to download')
    .summary('record what a policy keeps, step by step')
    .description(
      'Runs a fixed number of steps on token ids and records the tokens each head keeps after each. Needs no tokenizer; end tokens mean nothing. Here --buffer is 1 and the prompt is read at once unless said otherwise.',
    )
  withFlags(command, flags.model(), flags.download(), flags.ids(), flags.policy(), flags.budget())
  command
    .option('--steps <n>', 'outputs: the first comes from the prompt, each other from one more token')
    .option('--force <list>', 'ids to read instead of the most likely ones, at least steps − 1')
    .option('--tensors <path>', 'write logits, log β and scores to a safetensors file')
  return { command: withFlags(command, flags.json()), run }
}
