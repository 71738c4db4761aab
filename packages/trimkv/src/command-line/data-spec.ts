import { existsSync } from 'node:fs'
import { nameHint } from '@trimkv/cache'
import { tasks } from '@trimkv/tasks'
import { fail } from '@trimkv/tensor'
import type { CopyEntry, TaskEntry } from '@trimkv/trainer'

/** What `--data` names: files of records, or kinds of generated texts. */
export type DataSpec =
  | { readonly kind: 'files'; readonly files: readonly string[] }
  | { readonly kind: 'tasks'; readonly mixture: readonly (TaskEntry | CopyEntry)[] }

const taskNames = [...Object.keys(tasks), 'copy']

/** Fields of an entry that are no options of its task. */
const ownFields = ['words', 'share', 'tokens', 'repeats']

/**
 * Reads the values of `--data`.
 * @throws TRIMKV_OPTION, TRIMKV_NOT_FOUND for what is neither a task nor a file
 */
export function readDataSpecs(texts: readonly string[]): DataSpec {
  if (texts.length === 0) {
    fail('TRIMKV_OPTION', 'There is nothing to train on', {
      hint: 'give --data FILE.jsonl, --data recall:facts=4, or --recipe reference',
    })
  }
  const isTask = (text: string): boolean => taskNames.includes(nameOf(text))
  const generated = texts.filter(isTask)
  const files = texts.filter((text) => !isTask(text))
  for (const file of files) if (!existsSync(file)) unknownData(file)
  if (generated.length === 0) return { kind: 'files', files }
  if (files.length > 0) {
    fail('TRIMKV_OPTION', '--data cannot mix files and generated texts', {
      why: [`${files[0]} is a file, ${generated[0]} is generated`],
    })
  }
  return { kind: 'tasks', mixture: generated.map(readEntry) }
}

const nameOf = (text: string): string => text.split(':', 1)[0]!

function unknownData(text: string): never {
  const looksLikePath = /[/\\]|\.\w+$/.test(text)
  if (looksLikePath) {
    fail('TRIMKV_NOT_FOUND', `There is no file ${text}`, {
      hint: 'give a file with one JSON record per line',
      details: { file: text },
    })
  }
  fail('TRIMKV_OPTION', `--data cannot be "${text}": it is no file and no task`, {
    hint: nameHint(nameOf(text), taskNames),
  })
}

/** `recall:facts=2..6,noise=plain|mentioning,words=200,share=2` */
function readEntry(text: string): TaskEntry | CopyEntry {
  const name = nameOf(text)
  const entry: Record<string, unknown> = { task: name, share: 1 }
  const options: Record<string, unknown> = {}
  for (const part of text.slice(name.length + 1).split(',')) {
    if (part.trim() === '') continue
    const [key = '', ...rest] = part.trim().split('=')
    if (key === '' || rest.length === 0) {
      fail('TRIMKV_OPTION', `--data ${text}: "${part}" is no option`, { why: ['expected option=value'] })
    }
    const into = ownFields.includes(key) ? entry : options
    into[key] = readRule(rest.join('='))
  }
  if (name === 'copy') refuseOptions(text, Object.keys(options))
  // The source checks names and values.
  return { ...entry, ...(name !== 'copy' && { options }) } as unknown as TaskEntry | CopyEntry
}

function refuseOptions(text: string, [option]: readonly string[]): void {
  if (option === undefined) return
  fail('TRIMKV_OPTION', `--data ${text}: ${option} is no option of copy`, {
    hint: 'it has tokens, repeats and share',
  })
}

/** A value, `a..b` for a count drawn from a range, or `a|b` for one drawn from a list. */
function readRule(text: string): unknown {
  const [, from, to] = /^(\d+)\.\.(\d+)$/.exec(text) ?? []
  if (from !== undefined) return { from: Number(from), to: Number(to) }
  return text.includes('|') ? { oneOf: text.split('|').map(readValue) } : readValue(text)
}

function readValue(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
}
