import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import { waitForLock } from './file-lock.ts'
import { type Answer, attemptRequest, type Hub } from './hub-request.ts'
import { type KnownContent, PartialFile } from './partial-file.ts'
import { blobPath, type RepoFolder, sizeOf } from './repo-folder.ts'
import { type Attempt, withRetries } from './retries.ts'

/** A file of a repository, at one commit. */
export interface RemoteFile extends KnownContent {
  readonly name: string
  /** Path of its content below the endpoint, encoded. */
  readonly path: string
}

interface BlobDownload {
  readonly hub: Hub
  readonly folder: RepoFolder
  readonly file: RemoteFile
  readonly signal: AbortSignal
  /** Called with the bytes of the file that are here. */
  readonly onBytes: (bytes: number) => void
}

/** Where a download leaves what came so far. */
export const partialPath = (folder: RepoFolder, oid: string): string =>
  `${blobPath(folder, oid)}.trimkv.incomplete`

/** How often what a download wrote may be replaced by another holder of the lock. */
const mostReplaced = 5

/**
 * Brings the content of a file into the cache, once: processes that want it at the same time wait for the first.
 * @throws TrimError `TRIMKV_NETWORK`, `TRIMKV_ACCESS`, `TRIMKV_NOT_FOUND`, `TRIMKV_FORMAT` when the content is not what its
 *   hash says, `TRIMKV_DISK`, `TRIMKV_IO`; the reason of the signal
 */
export async function downloadBlob({ hub, folder, file, signal, onBytes }: BlobDownload): Promise<void> {
  const blob = blobPath(folder, file.oid)
  const isThere = async (): Promise<boolean> => (await sizeOf(blob)) === file.size
  if (await isThere()) return onBytes(file.size)
  const partial = partialPath(folder, file.oid)
  await using _lock = await waitForLock(join(folder.locks, `${file.oid}.trimkv.lock`), {
    signal,
    async isWanted() {
      onBytes((await sizeOf(partial)) ?? 0)
      return !(await isThere())
    },
  })
  for (let tries = 0; !(await isThere()); tries++) {
    if (tries === mostReplaced) replaced(partial)
    await using target = await PartialFile.open(partial, file)
    await fill(target, { hub, file, signal, onBytes })
    await target.finish(blob)
  }
  onBytes(file.size)
}

const replaced = (file: string): never =>
  fail('TRIMKV_IO', `${file} is replaced again and again`, {
    hint: 'stop other downloads of the same model into this cache, and start again',
    details: { file },
  })

type Filling = Omit<BlobDownload, 'folder'>

const mostWrongContents = 2

/** Restarts after which what comes counts as new; a server that makes it start over and over must come to an end. */
const mostForgivenRestarts = 2

/** Fetches what is missing, and again from the begin when it was wrong. */
async function fill(target: PartialFile, { hub, file, signal, onBytes }: Filling): Promise<void> {
  const what = `Downloading ${file.name}`
  let best = target.length
  let restarts = target.restarts
  let wrong = 0
  await withRetries({
    what,
    patience: hub.patience,
    signal,
    async attempt() {
      onBytes(target.length)
      if (target.length < file.size) {
        const range = target.length > 0 ? { range: `bytes=${target.length}-` } : undefined
        const request = { path: file.path, what, signal, ...(range && { headers: range }) }
        const read = (answer: Answer) => receive(answer, { target, file, onBytes })
        const received = await attemptRequest(hub, request, read)
        if (target.restarts > restarts && target.restarts <= mostForgivenRestarts) best = 0
        restarts = target.restarts
        const isNearer = target.length > best
        best = Math.max(best, target.length)
        if ('again' in received) return { ...received, isNearer }
      }
      if (target.isRight()) return { done: undefined }
      await target.restart()
      wrong++
      if (wrong < mostWrongContents) return { again: 'what came is not what its hash says' }
      return fail('TRIMKV_FORMAT', `${what} failed: what came is not what its hash says`, {
        why: [`expected ${file.size} bytes with the hash ${file.oid}`, `it was wrong ${wrong} times`],
        hint: 'try again later, or from another HF_ENDPOINT; nothing of it was kept',
        details: { file: file.name, oid: file.oid },
      })
    },
  })
}

interface Receiving {
  readonly target: PartialFile
  readonly file: RemoteFile
  readonly onBytes: (bytes: number) => void
}

async function receive(
  { response, hops, chunks }: Answer,
  { target, file, onBytes }: Receiving,
): Promise<Attempt<undefined>> {
  const { status, headers } = response
  const promised = hops.map((hop) => oidIn(hop.headers, 'x-linked-etag')).find((oid) => oid !== undefined)
  if (promised !== undefined && promised !== file.oid)
    return { again: 'the server answered with another file' }
  if (status === 416) {
    await target.restart()
    return { again: 'the server does not have the rest of the file' }
  }
  if (target.length > 0 && status !== 206) await target.restart()
  if (status === 206 && !headers.get('content-range')?.startsWith(`bytes ${target.length}-`)) {
    await target.restart()
    return { again: 'the server sent another part of the file' }
  }
  for await (const chunk of chunks) {
    if (target.length + chunk.length > file.size) {
      await target.restart()
      return { again: `the server sent more than the ${file.size} bytes of the file` }
    }
    await target.append(chunk)
    onBytes(target.length)
  }
  if (target.length === file.size) return { done: undefined }
  return { again: `the connection ended after ${target.length} of ${file.size} bytes` }
}

/** The hash in a header such as `ETag`, without quotes and the mark of weak ones. */
export const oidIn = (headers: Headers, name: string): string | undefined =>
  headers.get(name)?.replace(/^W\//, '').replaceAll('"', '')
