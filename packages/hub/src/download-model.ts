import { statfs } from 'node:fs/promises'
import { removeAbandoned } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import { type DownloadedModel, findInCache } from './cached-model.ts'
import { downloadBlob, partialPath, type RemoteFile } from './download-blob.ts'
import { type FileChoice, matchingNames, modelFiles, unmetPatterns } from './file-choice.ts'
import type { Hub } from './hub-request.ts'
import { hubCacheDir, hubEndpoint, hubToken, isHubOffline } from './hub-settings.ts'
import { forEachParallel } from './parallel.ts'
import { describeFile, listRepo, type RemoteRepo } from './remote-repo.ts'
import { blobPath, placeInSnapshot, placeRef, type RepoFolder, repoFolder, sizeOf } from './repo-folder.ts'
import type { Patience } from './retries.ts'
import { makeFolder, storing } from './storage-failure.ts'
import { checkRepo, checkRevision, isCommit } from './untrusted-name.ts'

/** How far a download is. */
export interface DownloadProgress {
  /** The file that something came of. */
  readonly file: string
  /** Bytes of all wanted files that are here, those of earlier downloads included. */
  readonly doneBytes: number
  readonly totalBytes: number
}

/** Which files are looked for, and where they are kept. */
export interface CacheOptions extends Partial<FileChoice> {
  /** Branch, tag or full commit; default: `main`. */
  readonly revision?: string
  /** Default: where Hugging Face tools keep theirs, see {@link hubCacheDir}. */
  readonly cacheDir?: string
}

export interface DownloadOptions extends CacheOptions {
  /** Default: `HF_ENDPOINT`, else the Hugging Face hub. */
  readonly endpoint?: string
  /** Default: `HF_TOKEN`, else what the token file holds; an empty text: none. It is sent to the endpoint alone. */
  readonly token?: string
  /** Use what is in the cache and ask nothing; default: what `HF_HUB_OFFLINE` says. */
  readonly offline?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: DownloadProgress) => void
  /** Files that are fetched at the same time; default: 4. */
  readonly parallel?: number
  /** Default: five attempts, the first pause half a second, half a minute without a byte. */
  readonly patience?: Partial<Patience>
}

const defaultPatience: Patience = { attempts: 5, delayMs: 500, idleMs: 30_000 }

/**
 * Looks for a downloaded model without asking the network.
 * @param repo `org/name`
 * @returns undefined when a wanted file is missing
 * @throws TrimError `TRIMKV_OPTION`
 */
export async function findDownloaded(
  repo: string,
  options: CacheOptions = {},
): Promise<DownloadedModel | undefined> {
  const { folder, revision, choice } = placeOf(repo, options)
  const finding = await findInCache(folder, revision, choice)
  return 'found' in finding ? finding.found : undefined
}

/**
 * Brings files of a repository into the cache that Hugging Face tools share, and its folder back. Only what is missing is
 * fetched, an interrupted download goes on where it was, and every file is checked by its hash before it can be seen.
 * @param repo `org/name`
 * @throws TrimError `TRIMKV_NOT_FOUND`: no such repository, revision or file, or not in the cache when offline ·
 *   `TRIMKV_ACCESS`: a token or consent is needed · `TRIMKV_NETWORK`: the server cannot be reached or breaks off time
 *   and again · `TRIMKV_FORMAT`: the server lies about names, sizes or contents · `TRIMKV_DISK`, `TRIMKV_IO`,
 *   `TRIMKV_OPTION`; the reason of the signal when it is aborted
 * @see https://huggingface.co/docs/hub/local-cache
 */
export async function downloadModel(repo: string, options: DownloadOptions = {}): Promise<DownloadedModel> {
  const place = placeOf(repo, options)
  options.signal?.throwIfAborted()
  return (options.offline ?? isHubOffline(process.env)) ? fromCache(place) : fromHub(place, options)
}

interface Place {
  readonly repo: string
  readonly revision: string
  readonly choice: FileChoice
  readonly cacheDir: string
  readonly folder: RepoFolder
}

function placeOf(repo: string, options: CacheOptions): Place {
  const { revision = 'main', patterns, required = [], expected = [] } = options
  const { cacheDir = hubCacheDir(process.env) } = options
  checkRepo(repo)
  checkRevision(revision)
  const choice = patterns === undefined ? modelFiles : { patterns, required, expected }
  return { repo, revision, choice, cacheDir, folder: repoFolder(cacheDir, repo) }
}

async function fromCache({ repo, revision, choice, folder }: Place): Promise<DownloadedModel> {
  const finding = await findInCache(folder, revision, choice)
  if ('found' in finding) return finding.found
  return fail('TRIMKV_NOT_FOUND', `${repo}@${revision} was not downloaded before, and downloads are off`, {
    why: finding.missing,
    hint: 'unset HF_HUB_OFFLINE and leave out --offline to download it, or set HF_HUB_CACHE to where it is',
    details: { repo, revision },
  })
}

function checkEndpoint(address: string): void {
  const { protocol, username, password } = URL.canParse(address) ? new URL(address) : new URL('none:')
  const hint = 'such as https://huggingface.co; it comes from HF_ENDPOINT'
  // An address with credentials is not repeated: messages are shown and kept.
  if (username || password || (protocol !== 'https:' && protocol !== 'http:' && address.includes('@'))) {
    fail('TRIMKV_OPTION', 'the endpoint has a user or a password in it', {
      why: ['they would be seen in messages, and nothing sends them'],
      hint: `${hint}; HF_TOKEN is sent to it`,
    })
  }
  if (protocol !== 'https:' && protocol !== 'http:') {
    fail('TRIMKV_OPTION', `the endpoint ${JSON.stringify(address)} is not the address of a server`, { hint })
  }
}

function hubOf({
  endpoint = hubEndpoint(process.env),
  token = hubToken(process.env),
  patience,
}: DownloadOptions): Hub {
  const address = endpoint.replace(/\/+$/, '')
  checkEndpoint(address)
  if (!/^[\x21-\x7e]*$/.test(token ?? '')) {
    fail('TRIMKV_OPTION', 'the token has characters that no token has', {
      hint: 'it comes from HF_TOKEN or its file',
    })
  }
  return { endpoint: address, token: token || undefined, patience: { ...defaultPatience, ...patience } }
}

async function fromHub(place: Place, options: DownloadOptions): Promise<DownloadedModel> {
  const { repo, revision, choice, cacheDir, folder } = place
  const hub = hubOf(options)
  const { parallel = 4, onProgress } = options
  // One failure stops the others: what they have is kept.
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  const each = { parallel, stop }
  await removeAbandoned(folder.locks)
  const { commit, names } = await listRepo(hub, { repo, revision, signal })
  const files = wantedNames(place, { commit, names }).sort()
  const remote = await forEachParallel(files, each, (name) =>
    describeFile(hub, { repo, commit, name, signal }),
  )
  await makeFolder(cacheDir)
  await checkFreeSpace(cacheDir, folder, remote)
  const progress = progressOf(remote, onProgress)
  await forEachParallel(remote, each, (file) =>
    downloadBlob({ hub, folder, file, signal, onBytes: (bytes) => progress(file.name, bytes) }),
  )
  // Last, so that whoever finds a file or a revision finds it whole.
  for (const file of remote) await placeInSnapshot(folder, { ...file, commit })
  if (!isCommit(revision)) await placeRef(folder, revision, commit)
  const finding = await findInCache(folder, commit, { patterns: choice.patterns, required: [] })
  if ('found' in finding) return { ...finding.found, files }
  return fail('TRIMKV_NOT_FOUND', `${repo}@${revision} is not whole`, {
    why: finding.missing,
    hint: 'the repository lacks them; choose another revision',
  })
}

function wantedNames({ repo, revision, choice }: Place, { names }: RemoteRepo): string[] {
  const unmet = unmetPatterns(names, choice)
  if (unmet.length === 0) return matchingNames(names, choice.patterns)
  return fail('TRIMKV_NOT_FOUND', `${repo}@${revision} is not what is looked for`, {
    why: [`no file fits ${unmet.join(', ')}`, `it has ${names.slice(0, 20).join(', ') || 'no files'}`],
    hint: 'check the name and the revision',
    details: { repo, revision, unmet },
  })
}

function progressOf(files: readonly RemoteFile[], onProgress: DownloadOptions['onProgress']) {
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0)
  const here = new Map<string, number>()
  let doneBytes = 0
  return (file: string, bytes: number): void => {
    doneBytes += bytes - (here.get(file) ?? 0)
    here.set(file, bytes)
    onProgress?.({ file, doneBytes, totalBytes })
  }
}

/** Tells a disk that cannot hold the files before hours are spent on filling it. */
async function checkFreeSpace(
  cacheDir: string,
  folder: RepoFolder,
  files: readonly RemoteFile[],
): Promise<void> {
  let needed = 0
  for (const { oid, size } of files) {
    const isHere = (await sizeOf(blobPath(folder, oid))) === size
    if (!isHere) needed += Math.max(0, size - ((await sizeOf(partialPath(folder, oid))) ?? 0))
  }
  const { bavail, bsize, blocks } = await storing(cacheDir, () => statfs(cacheDir))
  const free = bavail * bsize
  // Some network file systems do not count their blocks.
  if (blocks === 0 || free >= needed) return
  fail('TRIMKV_DISK', `there is no room for ${needed} bytes in ${cacheDir}`, {
    why: [`${free} bytes are free`],
    hint: 'free some space, or set HF_HUB_CACHE to a folder on another disk',
    details: { folder: cacheDir, needed, free },
  })
}
