import { writeFileSync } from 'node:fs'
import { referenceModelDir } from '@trimkv/reference-model'
import { tasks } from '@trimkv/tasks'
import { type Finished, type RunOptions, run } from './command-line.ts'

/** One line of `--jsonl`, with what tests look at. */
export interface TrainingLine {
  readonly kind: string
  readonly step: number
  readonly terms: Readonly<Record<string, number>>
  readonly best: { readonly step: number } | null
}

/** Flags that keep gates and their training small. */
export const small: readonly string[] = ['--units', '8', '--threads', '2']

/** `train gates` on the reference model, with its events. */
export async function trainGates(
  out: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished & { readonly events: readonly TrainingLine[] }> {
  const command = ['train', 'gates', referenceModelDir, '--out', out, ...small, ...args, '--jsonl']
  const finished = await run(command, options)
  const lines = finished.stdout.split('\n').slice(0, -1)
  return { ...finished, events: lines.map((line) => JSON.parse(line) as TrainingLine) }
}

/** Writes one record per line. @returns the file */
export function writeRecords(file: string, records: readonly object[]): string {
  writeFileSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  return file
}

/** Records with texts of a task. */
export const recallRecords = (words: number, count: number): object[] =>
  Array.from({ length: count }, (_, index) => ({
    text: tasks.recall({ facts: 2, questions: 2, length: { targetWords: words } }).sample(1, index).text,
  }))
