import { mkdirSync } from 'node:fs'
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
  /** Where it lies until then. */
  readonly unfinishedPath: string
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
    unfinishedPath: temporary,
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
  return storageFailure(`${path} cannot be written`, {
    cause,
    hint: 'check that the folder exists and is writable',
    details: { file: path },
  })
}

/** @throws always: `TRIMKV_DISK` when the cause is a full disk, else `TRIMKV_IO` */
function storageFailure(
  what: string,
  { cause, hint, details }: { cause: unknown; hint: string; details: Readonly<Record<string, unknown>> },
): never {
  const { code, message } = cause as NodeJS.ErrnoException
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return fail(isFull ? 'TRIMKV_DISK' : 'TRIMKV_IO', what, {
    why: [message],
    hint: isFull ? 'free some space' : hint,
    details,
    cause,
  })
}

/**
 * Makes a folder and those it lies in, where they do not exist.
 * @throws TrimError `TRIMKV_DISK` when the disk is full, else `TRIMKV_IO`
 */
export function makeFolder(folder: string): void {
  try {
    // The asynchronous one says that there is no such folder where the disk is full.
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    storageFailure(`${folder} cannot be made`, {
      cause,
      hint: 'check that it may be made there',
      details: { folder },
    })
  }
}

/** @throws TrimError `TRIMKV_IO` when a file that is there cannot be removed */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause: unknown) =>
    storageFailure(`${path} cannot be removed`, {
      cause,
      hint: 'check that the folder is writable',
      details: { file: path },
    }),
  )
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
