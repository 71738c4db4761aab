import { fail } from '@trimkv/tensor'

/** Which files of a repository are wanted. */
export interface FileChoice {
  /** A file is wanted when one of these fits: `*` is anything but `/`, `**` anything, `{a,b}` one of both. */
  readonly patterns: readonly string[]
  /** Each of these must fit one file at least, or the repository is not what is looked for. */
  readonly required: readonly string[]
  /** Files that a repository may lack; a cache without them is not whole, as they may not have been fetched. */
  readonly expected?: readonly string[]
}

/** The files of a model with safetensors weights. */
export const modelFiles: FileChoice = {
  patterns: [
    '{config,generation_config,tokenizer,tokenizer_config,special_tokens_map}.json',
    'chat_template.{jinja,json}',
    'model*.safetensors',
    'model.safetensors.index.json',
  ],
  required: ['config.json', 'model*.safetensors'],
  expected: ['tokenizer.json'],
}

/** The files of retention gates, in either layout. */
export const gateFiles: FileChoice = {
  patterns: ['config.json', 'trimkv.json', '{retention_gates.safetensors,trimkv_weights.pth}'],
  required: ['config.json', '{retention_gates.safetensors,trimkv_weights.pth}'],
}

const meanings: Readonly<Record<string, string>> = { '**': '.*', '*': '[^/]*', '{': '(?:', '}': ')' }

/** @throws TrimError `TRIMKV_OPTION` when a brace has no partner */
function expressionOf(pattern: string): RegExp {
  if (!/^[^{}]*(?:\{[^{}]*\}[^{}]*)*$/.test(pattern)) {
    fail('TRIMKV_OPTION', `the pattern ${pattern} has a brace without its partner`, { details: { pattern } })
  }
  let source = ''
  let isInBraces = false
  for (const [piece] of pattern.matchAll(/\*\*|./gsu)) {
    if (piece === '{' || piece === '}') isInBraces = piece === '{'
    const plain = piece === ',' && isInBraces ? '|' : piece.replace(/[.+?^$()|[\]\\]/, '\\$&')
    source += meanings[piece] ?? plain
  }
  return new RegExp(`^${source}$`, 'u')
}

/** The names that fit one of the patterns at least, in their order. */
export function matchingNames(names: readonly string[], patterns: readonly string[]): string[] {
  const expressions = patterns.map(expressionOf)
  return names.filter((name) => expressions.some((expression) => expression.test(name)))
}

/** The required patterns that fit no name, or all patterns when none of them fits any. */
export function unmetPatterns(
  names: readonly string[],
  { patterns, required }: Pick<FileChoice, 'patterns' | 'required'>,
): readonly string[] {
  if (matchingNames(names, patterns).length === 0) return patterns
  return required.filter((pattern) => matchingNames(names, [pattern]).length === 0)
}

const shardName = /^(?<stem>.*)-\d{5}-of-(?<count>\d{5})\.safetensors$/

/** What shards need beside them, by their names: each other and the index. The reader takes a file that holds all before them. */
export function shardsBeside(names: readonly string[]): string[] {
  const present = new Set(names)
  const wanted = new Set<string>()
  for (const name of names) {
    const { stem, count } = shardName.exec(name)?.groups ?? {}
    const index = `${stem}.safetensors.index.json`
    if (count === undefined || wanted.has(index) || present.has(`${stem}.safetensors`)) continue
    wanted.add(index)
    for (let shard = 1; shard <= Number(count); shard++)
      wanted.add(`${stem}-${String(shard).padStart(5, '0')}-of-${count}.safetensors`)
  }
  return [...wanted]
}
