import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail, TrimError } from '@trimkv/tensor'
import { removeAbandoned, unfinishedPath } from './unfinished-files.ts'

type Pieces = Iterable<ArrayBufferView> | AsyncIterable<ArrayBufferView>

/** The content of a file: text, written as UTF-8, bytes, or pieces in order; an iterable may make them one at a time. */
export type FileContent = string | Uint8Array | Pieces

function piecesOf(content: FileContent): Pieces {
  if (typeof content === 'string') return [Buffer.from(content)]
  return content instanceof Uint8Array ? [content] : content
}

/** Keeps one write call far below the 2 GiB that the system takes at most. */
const chunkBytes = 64 * 1024 * 1024

/** A file that lies whole beside its place. Removed when it is disposed before it was put there. */
export interface StagedFile extends AsyncDisposable {
  /** Puts it in its place: readers see the old file or this one. */
  commit(): Promise<void>
}

/**
 * Writes a file beside its place, down to the disk. What killed processes left unfinished in the folder is removed.
 * @throws TrimError as {@link writeAtomically}; nothing is left behind
 */
export async function stageFile(path: string, content: FileContent): Promise<StagedFile> {
  await removeAbandoned(dirname(path))
  const temporary = await unfinishedPath(path)
  const remove = (): Promise<void> => rm(temporary, { force: true }).catch(() => undefined)
  try {
    await writeSynced(temporary, piecesOf(content))
  } catch (cause) {
    await remove()
    cannotWrite(path, cause)
  }
  let isPlaced = false
  return {
    async commit() {
      await rename(temporary, path).catch((cause: unknown) => cannotWrite(path, cause))
      isPlaced = true
    },
    async [Symbol.asyncDispose]() {
      if (!isPlaced) await remove()
    },
  }
}

/**
 * Writes a file beside the target and renames it over it, so that readers see the old file or the new one, also after a
 * crash.
 * @throws TrimError `TRIMKV_DISK` when the disk is full, `TRIMKV_IO` when writing fails for another reason, and what
 *   making the pieces throws if it is a TrimError; nothing is left behind
 */
export async function writeAtomically(path: string, content: FileContent): Promise<void> {
  await using staged = await stageFile(path, content)
  await staged.commit()
  await syncFolder(dirname(path))
}

function cannotWrite(path: string, cause: unknown): never {
  if (TrimError.isInstance(cause)) throw cause
  const { code, message } = cause as NodeJS.ErrnoException
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return fail(isFull ? 'TRIMKV_DISK' : 'TRIMKV_IO', `${path} cannot be written`, {
    why: [message],
    hint: isFull ? 'free some space' : 'check that the folder exists and is writable',
    details: { file: path },
    cause,
  })
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
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
