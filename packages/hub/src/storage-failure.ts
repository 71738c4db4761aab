import { mkdirSync } from 'node:fs'
import { fail, TrimError } from '@trimkv/tensor'

/**
 * Tells what the file system refused in the words of this project.
 * @throws TrimError `TRIMKV_DISK` when there is no space left, else `TRIMKV_IO`; a TrimError of `work` as it is
 */
export async function storing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (TrimError.isInstance(cause)) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    const isFull = code === 'ENOSPC' || code === 'EDQUOT'
    return fail(isFull ? 'TRIMKV_DISK' : 'TRIMKV_IO', `${path} cannot be written`, {
      why: [message],
      hint: isFull
        ? 'free some space and start again: what came so far is kept, and the download goes on from there'
        : 'check that the cache folder is writable, or set HF_HUB_CACHE to another',
      details: { file: path },
      cause,
    })
  }
}

/** Makes a folder and those it lies in, where they do not exist. @throws TrimError as `storing` */
export const makeFolder = (folder: string): Promise<void> =>
  storing(folder, async () => {
    // The asynchronous one says that there is no such folder where the disk is full.
    mkdirSync(folder, { recursive: true })
  })

/** Whether `work` was done; false when it failed with one of these codes. */
export async function succeeds(work: Promise<unknown>, ...codes: readonly string[]): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (!codes.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return false
  }
}
