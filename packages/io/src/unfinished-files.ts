import { randomBytes } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isOfThisSpace, isRunning, ownProcess } from './process-owner.ts'

/** `.model.safetensors.4711-88121-0a1b2c3d-0123456789ab.tmp`: process, its start, its space, and what tells it from others. */
const unfinishedName = /^\.(.+)\.(\d+)-(\d*)-([0-9a-f]{8})-[0-9a-f]{12}\.tmp$/

/** Where a file is written before it takes its place: beside it, hidden, named after this process. */
export async function unfinishedPath(path: string): Promise<string> {
  const { pid, started, space } = await ownProcess()
  const tag = [pid, started ?? '', space, randomBytes(6).toString('hex')].join('-')
  return join(dirname(path), `.${basename(path)}.${tag}.tmp`)
}

interface UnfinishedFile {
  readonly path: string
  /** Of the file that it is to become. */
  readonly name: string
  readonly pid: number
  readonly isAbandoned: boolean
}

/** Unfinished files of this space: those of other machines, containers and earlier boots say nothing about whether their writers live. */
export async function unfinishedFilesIn(folder: string): Promise<UnfinishedFile[]> {
  const files: UnfinishedFile[] = []
  for (const entry of await readdir(folder).catch(() => [])) {
    const [, name, pid, started, space] = unfinishedName.exec(entry) ?? []
    if (name === undefined || space === undefined || !(await isOfThisSpace({ space }))) continue
    const isAbandoned = !(await isRunning({ pid: Number(pid), started: started || null }))
    files.push({ path: join(folder, entry), name, pid: Number(pid), isAbandoned })
  }
  return files
}

/**
 * Removes what writers left behind that are gone for certain, such as those that were killed. Files of running writers, of
 * other machines, containers and earlier boots stay.
 */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const { path, isAbandoned } of await unfinishedFilesIn(folder)) {
    if (isAbandoned) await rm(path, { force: true }).catch(() => undefined)
  }
}
