import { randomBytes } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  isOfEarlierBoot,
  isOfThisSpace,
  isRunning,
  type LockOwner,
  ownProcess,
  parseLockOwner,
} from '@trimkv/io'
import { fail } from '@trimkv/tensor'

const attempts = 10

/**
 * Takes the lock of a folder until it is disposed. A lock whose process is gone is taken over.
 * @throws TrimError `TRIMKV_LOCKED` when a process that runs holds it, or one that cannot be asked for: of
 *   another machine or container
 */
export async function lockFolder(folder: string): Promise<AsyncDisposable> {
  const file = join(folder, 'train.lock')
  const token = randomBytes(6).toString('hex')
  const own = join(folder, `.train.lock.${token}`)
  const owner: LockOwner = { ...(await ownProcess()), token }
  await writeFile(own, JSON.stringify(owner))
  try {
    for (let attempt = 0; attempt < attempts; attempt++) {
      // A link appears with its content: nobody sees a lock without an owner.
      if (await succeeds(link(own, file), 'EEXIST')) {
        return { [Symbol.asyncDispose]: () => rm(file, { force: true }) }
      }
      await removeIfStale(file, own)
    }
  } finally {
    await rm(own, { force: true })
  }
  return locked(file, 'several processes are taking it')
}

/** @param own a file to claim the removal with */
async function removeIfStale(file: string, own: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return
  const owner = parseLockOwner(text)
  if (!owner) locked(file, 'it does not say by whom')
  if (!(await isOfEarlierBoot(owner))) {
    if (!(await isOfThisSpace(owner)))
      locked(file, `by process ${owner.pid} of another machine or container (${owner.host})`)
    if (await isRunning(owner)) locked(file, `by process ${owner.pid}`)
  }
  // Who has the claim is the only one that may remove this very lock, and looks once more whether it is still there.
  const claim = `${file}.${owner.token}`
  if (!(await succeeds(link(own, claim), 'EEXIST'))) return
  try {
    if ((await readFile(file, 'utf8').catch(() => undefined)) === text) await rm(file)
  } finally {
    await rm(claim, { force: true })
  }
}

/** Whether `work` was done; false when it failed with `code`. */
async function succeeds(work: Promise<void>, code: string): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== code) throw error
    return false
  }
}

function locked(file: string, why: string): never {
  fail('TRIMKV_LOCKED', `${file} is held by another training run`, {
    why: [why],
    hint: 'wait for it or stop it; delete the file if that process is gone',
    details: { file },
  })
}
