import {
  constants,
  copyFile,
  lstat,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { unfinishedPath } from '@trimkv/io'
import { makeFolder, storing, succeeds } from './storage-failure.ts'

/** Where the files of one repository lie in the cache, as Hugging Face tools lay them. */
export interface RepoFolder {
  readonly root: string
  /** For locks, and for what is not to be seen before it is whole. */
  readonly locks: string
}

export function repoFolder(cacheDir: string, repo: string): RepoFolder {
  const name = `models--${repo.replace('/', '--')}`
  return { root: join(cacheDir, name), locks: join(cacheDir, '.locks', name) }
}

/** @param oid hash that names the content */
export const blobPath = ({ root }: RepoFolder, oid: string): string => join(root, 'blobs', oid)

export const snapshotPath = ({ root }: RepoFolder, commit: string): string => join(root, 'snapshots', commit)

export const refPath = ({ root }: RepoFolder, revision: string): string => join(root, 'refs', revision)

export const sizeOf = (path: string): Promise<number | undefined> =>
  stat(path).then(
    (found) => found.size,
    () => undefined,
  )

/** Lets `make` write a file that appears at `path` all at once. */
function placing(
  folder: RepoFolder,
  path: string,
  make: (temporary: string) => Promise<void>,
): Promise<void> {
  return storing(path, async () => {
    await makeFolder(folder.locks)
    await makeFolder(dirname(path))
    const temporary = await unfinishedPath(join(folder.locks, 'file'))
    try {
      await make(temporary)
      await rename(temporary, path)
    } finally {
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  })
}

interface SnapshotFile {
  readonly commit: string
  readonly name: string
  readonly oid: string
  readonly size: number
}

/** Makes a file of a snapshot: a link to its content, or a copy where the system has no links. */
export async function placeInSnapshot(
  folder: RepoFolder,
  { commit, name, oid, size }: SnapshotFile,
): Promise<void> {
  const path = join(snapshotPath(folder, commit), name)
  const blob = blobPath(folder, oid)
  const target = relative(dirname(path), blob)
  const present = await lstat(path).catch(() => undefined)
  if (present?.isSymbolicLink() && (await readlink(path)) === target) return
  if (present?.isFile() && present.size === size) return
  await placing(folder, path, async (temporary) => {
    const isLinked = await succeeds(symlink(target, temporary), 'EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP')
    if (!isLinked) await copyFile(blob, temporary, constants.COPYFILE_FICLONE)
  })
}

/** Notes which commit a branch or tag stands for. */
export async function placeRef(folder: RepoFolder, revision: string, commit: string): Promise<void> {
  const path = refPath(folder, revision)
  const noted = await readFile(path, 'utf8').catch(() => undefined)
  if (noted?.trim() !== commit) await placing(folder, path, (temporary) => writeFile(temporary, commit))
}
