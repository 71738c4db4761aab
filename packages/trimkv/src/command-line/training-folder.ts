import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import type { Terminal } from '../terminal/terminal.ts'

/** Where a training with `--out DIR` keeps its checkpoint and metrics. */
export const runFolderOf = (out: string): string => join(out, 'run')

/**
 * Makes sure that a training may write its result to a folder. Nothing is changed.
 * @throws TRIMKV_OPTION when the folder holds a model or gates that no training wrote
 */
export async function checkFolder(out: string): Promise<void> {
  const { runFiles } = await import('@trimkv/trainer')
  const run = runFolderOf(out)
  if (existsSync(join(out, 'config.json')) && !existsSync(runFiles(run).checkpoint)) {
    fail('TRIMKV_OPTION', `${out} holds a config.json that is of no training here`, {
      why: [`its run would be in ${run}`],
      hint: 'choose another folder for --out',
      details: { out },
    })
  }
}

/** Deletes the run that `--restart` is to discard. @throws TRIMKV_LOCKED when another process trains there */
export async function restartRun(out: string, { say }: Pick<Terminal, 'say'>): Promise<void> {
  const { discardRun } = await import('@trimkv/trainer')
  const run = runFolderOf(out)
  say((await discardRun(run)) ? `the run in ${run} is discarded` : `there is no run in ${run} to discard`)
}

/** A file that was written. */
export interface WrittenFile {
  readonly path: string
  readonly bytes: number
}

/** The files in folders, those in folders within them left out. */
export async function filesIn(folders: readonly string[]): Promise<WrittenFile[]> {
  const files: WrittenFile[] = []
  for (const folder of folders) {
    for (const name of (await readdir(folder)).sort()) {
      const path = join(folder, name)
      const found = await stat(path)
      if (found.isFile()) files.push({ path, bytes: found.size })
    }
  }
  return files
}
