import { readdir, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { fail } from '@trimkv/tensor'
import { lockFolder } from './folder-lock.ts'
import { removeUnfinished, runFiles } from './run-files.ts'

/** Locks and unfinished files, which a killed process leaves behind. */
const leftover = /^\.?(?:train\.lock|checkpoint\.safetensors\.|best\.safetensors\.)/

/**
 * Deletes the run that a folder holds, so that a new one can start there; other files stay.
 * @returns whether there was a run
 * @throws TrimError `TRIMKV_LOCKED` when a process trains there; `TRIMKV_OPTION` when the folder holds files, but no run
 */
export async function discardRun(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[]
    throw error
  })
  const { metrics, best, checkpoint } = runFiles(folder)
  // The checkpoint goes last: results without one would stand in the way of the next run.
  const found = [metrics, best, checkpoint].filter((file) => names.includes(basename(file)))
  const others = names.filter((name) => !leftover.test(name))
  if (found.length === 0 && others.length > 0) {
    fail('TRIMKV_OPTION', `${folder} holds no training run to discard`, {
      why: [`it holds ${others.slice(0, 5).join(', ')}`],
      hint: 'choose another folder',
      details: { folder },
    })
  }
  if (found.length === 0) return false
  await using _lock = await lockFolder(folder)
  for (const file of found) await rm(file, { force: true })
  await removeUnfinished(folder)
  return true
}
