import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  isOfThisSpace,
  isRunning,
  type LockOwner,
  ownProcess,
  parseLockOwner,
  unfinishedPath,
} from '@trimkv/io'
import { pause } from './retries.ts'
import { makeFolder, storing, succeeds } from './storage-failure.ts'

const pollMs = 100
const heartbeatMs = 5_000
const staleMs = 40_000

interface Waiting {
  readonly signal: AbortSignal
  /** Asked while another process holds the lock: whether it is still wanted. */
  readonly isWanted: () => Promise<boolean>
}

/**
 * Waits for a lock and holds it until it is disposed. The lock of a process that is gone is taken over: at once when it ran
 * on this machine, else when its file has not been touched for a while.
 *
 * Two holders are possible when one on another machine or in another container pauses for that long; what a lock
 * protects has to stay right then.
 * @returns undefined when it is no longer wanted
 */
export async function waitForLock(
  path: string,
  { signal, isWanted }: Waiting,
): Promise<AsyncDisposable | undefined> {
  const token = randomBytes(6).toString('hex')
  const owner: LockOwner = { ...(await ownProcess()), token }
  const text = JSON.stringify(owner)
  await makeFolder(dirname(path))
  const observed: Observed = { touched: undefined, since: 0 }
  for (;;) {
    signal.throwIfAborted()
    if (await storing(path, () => succeeds(create(path, text), 'EEXIST'))) return held(path, text)
    if (!(await isWanted())) return undefined
    await storing(path, () => removeIfStale(path, observed))
    await pause(pollMs, signal)
  }
}

/** An empty lock, as a full disk leaves it, would say nothing about whose it is. */
async function create(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    await handle.writeFile(text).finally(() => handle.close())
  } catch (error) {
    await rm(path, { force: true }).catch(() => undefined)
    throw error
  }
}

function held(path: string, text: string): AsyncDisposable {
  const beat = setInterval(() => {
    const now = new Date()
    void utimes(path, now, now).catch(() => undefined)
  }, heartbeatMs)
  beat.unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(beat)
      const isOurs = (await readFile(path, 'utf8').catch(() => '')) === text
      if (isOurs) await rm(path, { force: true })
    },
  }
}

/** When the file was last touched, by its own clock, and since when that has not changed, by ours. */
interface Observed {
  touched: number | undefined
  since: number
}

async function removeIfStale(path: string, observed: Observed): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (!found || text === undefined) return
  const now = performance.now()
  if (found.mtimeMs !== observed.touched) Object.assign(observed, { touched: found.mtimeMs, since: now })
  const owner = parseLockOwner(text)
  const canTell = owner !== undefined && (await isOfThisSpace(owner))
  const isStale = canTell ? !(await isRunning(owner)) : now - observed.since > staleMs
  if (!isStale) return
  // One of many that see a stale lock moves it away; whoever moves a new one instead puts it back.
  const aside = await unfinishedPath(path)
  if (!(await succeeds(rename(path, aside), 'ENOENT'))) return
  const moved = await readFile(aside, 'utf8').catch(() => text)
  if (moved !== text) await succeeds(create(path, moved), 'EEXIST')
  await rm(aside, { force: true })
}
