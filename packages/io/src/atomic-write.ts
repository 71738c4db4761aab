import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fail, TrimError } from '@trimkv/tensor'

type Pieces = Iterable<ArrayBufferView> | AsyncIterable<ArrayBufferView>

/** Keeps one write call far below the 2 GiB that the system takes at most. */
const chunkBytes = 64 * 1024 * 1024

/**
 * Writes a file beside the target and renames it over it, so that readers see the old file or the new one, also after a
 * crash.
 * @param content text, written as UTF-8, or pieces of the file in order; an iterable may make them one at a time
 * @throws TrimError `TRIMKV_DISK` when the disk is full, `TRIMKV_IO` when writing fails for another reason, and what
 *   making the pieces throws if it is a TrimError; nothing is left behind
 */
export async function writeAtomically(path: string, content: string | Pieces): Promise<void> {
  const pieces = typeof content === 'string' ? [Buffer.from(content)] : content
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await writeSynced(temporary, pieces)
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    if (TrimError.isInstance(cause)) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    const isFull = code === 'ENOSPC' || code === 'EDQUOT'
    fail(isFull ? 'TRIMKV_DISK' : 'TRIMKV_IO', `${path} cannot be written`, {
      why: [message],
      hint: isFull ? 'free some space' : 'check that the folder exists and is writable',
      details: { file: path },
      cause,
    })
  }
  await syncFolder(folder)
}

async function writeSynced(path: string, pieces: Pieces): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    for await (const piece of pieces) await writeAll(handle, piece)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function writeAll(handle: FileHandle, view: ArrayBufferView): Promise<void> {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, chunkBytes))
    done += bytesWritten
  }
}

/** The rename itself must reach the disk; systems without this (Windows) refuse to open a folder. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
