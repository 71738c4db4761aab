import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, readlink, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { isRunning, ownProcess } from './process-owner.ts'

/** `.model.safetensors.4711-88121-0a1b2c3d-0123456789ab.tmp`: process, its start, its machine, and what tells it from others. */
const unfinishedName = /^\..+\.(\d+)-(\d*)-([0-9a-f]{8})-[0-9a-f]{12}\.tmp$/

/**
 * Where process numbers mean the same processes: one boot of one machine, and in it one container. Files of others say
 * nothing about whether their writers live.
 */
async function findProcessSpace(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  const space = await readlink('/proc/self/ns/pid').catch(() => '')
  return createHash('sha256').update(`${hostname()}\n${boot}\n${space}`).digest('hex').slice(0, 8)
}

let known: Promise<string> | undefined
const processSpace = (): Promise<string> => (known ??= findProcessSpace())

/** Where a file is written before it takes its place: beside it, hidden, named after this process. */
export async function unfinishedPath(path: string): Promise<string> {
  const { pid, started } = await ownProcess()
  const tag = [pid, started ?? '', await processSpace(), randomBytes(6).toString('hex')].join('-')
  return join(dirname(path), `.${basename(path)}.${tag}.tmp`)
}

/**
 * Removes what writers left behind that are gone for certain, such as those that were killed. Files of running writers, of
 * other machines, containers and earlier boots stay.
 */
export async function removeAbandoned(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    const [, pid, started, space] = unfinishedName.exec(name) ?? []
    if (pid === undefined || space !== (await processSpace())) continue
    if (await isRunning({ pid: Number(pid), started: started || null })) continue
    await rm(join(folder, name), { force: true }).catch(() => undefined)
  }
}
