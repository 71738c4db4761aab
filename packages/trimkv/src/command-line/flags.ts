import { type Command, Option } from 'commander'

/** Where a flag stands in the help text. */
type Group = 'Model' | 'Prompt' | 'Cache' | 'Sampling' | 'Output'

const flag =
  (group: Group) =>
  (flags: string, description: string): Option =>
    new Option(flags, description).helpGroup(`${group}:`)

/** Collects a flag that may be given several times. */
export const repeated = (value: string, before: readonly string[] | undefined): string[] => [
  ...(before ?? []),
  value,
]

const model = flag('Model')
const prompt = flag('Prompt')
const cache = flag('Cache')
const sampling = flag('Sampling')
const output = flag('Output')

type Flags =
  | 'model'
  | 'threads'
  | 'download'
  | 'budget'
  | 'policy'
  | 'policies'
  | 'prompt'
  | 'text'
  | 'ids'
  | 'sampling'
  | 'json'
  | 'dryRun'
  | 'jsonl'
  | 'pinSystem'
  | 'promptCache'

/** Flags shared by several commands, made anew for each. */
export const flags: Readonly<Record<Flags, () => Option[]>> = {
  model: () => [
    model('--gates <dir>', 'folder of retention gates made for this model, or org/name[@revision]'),
    ...flags.threads(),
    model('--kv-dtype <dtype>', 'storage of keys and values: f32, bf16, f16 or f8 (default: f32)'),
  ],
  threads: () => [model('--threads <n>', 'worker threads (default: all cores)')],
  download: () => [model('--offline', 'use what was downloaded before, and ask no server')],
  budget: () => [
    cache('--budget <size>', 'tokens kept per head: 512, 512tok, 25% or 256MiB (default: 512)'),
    cache('--buffer <n>', 'tokens stored beyond the budget before a cut (default: 128)'),
    cache('--exact', 'evict after every token, by the algorithm of the paper'),
    cache('--chunk <n>', 'prompt tokens per forward, 0 = all at once (default: 512)'),
    cache('--beyond-limit', 'go on past the longest sequence the model was made for'),
  ],
  policy: () => [
    cache(
      '--policy <name>',
      'name[:option=value,…] or the path of a policy file (default: trimkv with gates, else full)',
    ),
  ],
  policies: () => [cache('--policies <list>', 'policies with commas between them: full,trimkv,./mine.ts')],
  prompt: () => [
    prompt('-p, --prompt <text>', 'the prompt; without it and --prompt-file it is read from stdin'),
    prompt('--prompt-file <path>', 'a file with the prompt'),
    prompt('--chat', 'put the prompt into the chat template of the model'),
    prompt('--system <text>', 'system message, with --chat'),
  ],
  pinSystem: () => [cache('--pin-system', 'never evict the system message; it counts inside the budget')],
  promptCache: () => [
    prompt(
      '--prompt-cache <file>',
      'a file of `trimkv cache save`: only what the prompt has beyond its text is read',
    ),
  ],
  text: () => [
    prompt('-p, --prompt <text>', 'the text; without it and --prompt-file it is read from stdin'),
    prompt('--prompt-file <path>', 'a file with the text'),
  ],
  ids: () => [
    prompt('--ids <list>', 'token ids with commas between them'),
    prompt('--ids-file <path>', 'a JSON file with a list of token ids'),
  ],
  sampling: () => [
    sampling('--max-new <n>', 'tokens to generate at most (default: 256)'),
    sampling('--temperature <t>', 'divides the logits; 0 takes the most likely token (default: 0)'),
    sampling('--top-k <k>', 'keep the k most likely tokens'),
    sampling('--top-p <p>', 'keep the most likely tokens that together reach p'),
    sampling('--min-p <p>', 'keep tokens at least p times as likely as the most likely one'),
    sampling('--repetition-penalty <r>', 'above 1: push down tokens seen before'),
    sampling('--seed <n>', 'seed of the draws (default: 0)'),
    sampling('--stop <text>', 'end before this text; may be given several times').argParser(repeated),
  ],
  dryRun: () => [output('--dry-run', 'print the settings and the bytes needed, and stop')],
  json: () => [output('--json', 'print one JSON object')],
  jsonl: () => [output('--jsonl', 'print one JSON object per event')],
}

/** Adds options in the order given. */
export function withFlags(command: Command, ...groups: readonly (readonly Option[])[]): Command {
  for (const option of groups.flat()) command.addOption(option)
  return command
}
