import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type FileChoice, matchingNames, shardsBeside, unmetPatterns } from './file-choice.ts'
import { type RepoFolder, refPath, snapshotPath } from './repo-folder.ts'
import { isCommit } from './untrusted-name.ts'

/** Files of a repository that lie in the cache. */
export interface DownloadedModel {
  /** The folder of the snapshot. */
  readonly dir: string
  readonly commit: string
  /** Names below `dir`, sorted. */
  readonly files: readonly string[]
}

/** What is in the cache, or what is missing and where it was looked for. */
export type CacheFinding = { readonly found: DownloadedModel } | { readonly missing: readonly string[] }

const mostShown = 20

/** Looks for the wanted files of a revision, without asking the network. */
export async function findInCache(
  folder: RepoFolder,
  revision: string,
  choice: FileChoice,
): Promise<CacheFinding> {
  const ref = refPath(folder, revision)
  const commit = isCommit(revision)
    ? revision
    : await readFile(ref, 'utf8').then(
        (text) => text.trim(),
        () => undefined,
      )
  if (commit === undefined)
    return { missing: [`the revision ${revision} is not in the cache`, `looked for ${ref}`] }
  if (!isCommit(commit)) return { missing: [`${ref} does not hold a commit`] }
  const dir = snapshotPath(folder, commit)
  const names = await wholeFiles(dir)
  if (!names) return { missing: [`the commit ${commit} is not in the cache`, `looked for ${dir}`] }
  const { patterns, required, expected = [] } = choice
  const unmet = unmetPatterns(names, { patterns, required: [...required, ...expected] })
  if (unmet.length > 0) return { missing: [`no file fits ${unmet.join(', ')}`, `looked in ${dir}`] }
  const files = matchingNames(names, patterns)
  const shards = matchingNames(await missingShards(dir, files), patterns)
  if (shards.length > 0) {
    const shown = shards.slice(0, mostShown).join(', ')
    const others = shards.length > mostShown ? ` and ${shards.length - mostShown} more` : ''
    return { missing: [`these files are missing: ${shown}${others}`, `looked in ${dir}`] }
  }
  return { found: { dir, commit, files } }
}

/** Files below a folder, without links that lead nowhere; undefined when there is no folder. */
async function wholeFiles(dir: string): Promise<string[] | undefined> {
  const entries = await readdir(dir, { recursive: true }).catch(() => undefined)
  if (!entries) return undefined
  const isFile = (name: string): Promise<boolean> =>
    stat(join(dir, name)).then(
      (found) => found.isFile(),
      () => false,
    )
  const files = await Promise.all(entries.map(isFile))
  return entries
    .filter((_, index) => files[index])
    .map((name) => name.replaceAll('\\', '/'))
    .sort()
}

/** Files that an index of shards, or the name of a shard, tells of and the folder does not have. */
async function missingShards(dir: string, files: readonly string[]): Promise<string[]> {
  const present = new Set(files)
  const missing = new Set(shardsBeside(files).filter((name) => !present.has(name)))
  for (const index of files.filter((name) => name.endsWith('.safetensors.index.json'))) {
    const parent = index.slice(0, index.lastIndexOf('/') + 1)
    for (const shard of await shardsOf(join(dir, index))) {
      if (!present.has(`${parent}${shard}`)) missing.add(`${parent}${shard}`)
    }
  }
  return [...missing].sort()
}

/** The reader of the weights says what is wrong with an index that cannot be read. */
async function shardsOf(index: string): Promise<string[]> {
  try {
    const { weight_map } = JSON.parse(await readFile(index, 'utf8')) as { weight_map: Record<string, string> }
    return Object.values(weight_map)
  } catch {
    return []
  }
}
