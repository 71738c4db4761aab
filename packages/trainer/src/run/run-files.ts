import { access, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '@trimkv/tensor'

/** The files of a run, beside its lock. */
export interface RunFiles {
  /** Parameters, moments and where the run stands. */
  readonly checkpoint: string
  /** The parameters of the best validation. */
  readonly best: string
  readonly metrics: string
}

/** The files of the run in a folder. */
export const runFiles = (folder: string): RunFiles => ({
  checkpoint: join(folder, 'checkpoint.safetensors'),
  best: join(folder, 'best.safetensors'),
  metrics: join(folder, 'metrics.jsonl'),
})

/** What a process that was killed while writing leaves behind. */
const unfinished = /^\.(?:checkpoint|best)\.safetensors\.[0-9a-f-]+\.tmp$/

/** Deletes unfinished files. Only who holds the lock of the folder may. */
export async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (unfinished.test(name)) await rm(join(folder, name), { force: true })
  }
}

/**
 * Whether the folder holds a run to go on with.
 * @throws TrimError `TRIMKV_OPTION` when it holds results without a checkpoint, which a new run would overwrite
 */
export async function holdsRun(files: RunFiles): Promise<boolean> {
  if (await exists(files.checkpoint)) return true
  for (const file of [files.best, files.metrics]) {
    if (!(await exists(file))) continue
    fail('TRIMKV_OPTION', `${file} is of a run whose checkpoint is gone`, {
      hint: 'train in another folder, or delete the file',
      details: { file },
    })
  }
  return false
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
