import { randomBytes } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fail } from '@trimkv/tensor'

/** A process that holds a lock. */
interface Owner {
  readonly pid: number
  readonly host: string
  /** When the process started, in the units of its system; null where that is not known. */
  readonly started: string | null
  /** Tells this lock from all others. */
  readonly token: string
}

const attempts = 10

/**
 * Takes the lock of a folder until it is disposed. A lock whose process is gone is taken over.
 * @throws TrimError `TRIMKV_LOCKED` when a process that runs holds it, or one of another machine
 */
export async function lockFolder(folder: string): Promise<AsyncDisposable> {
  const file = join(folder, 'train.lock')
  const token = randomBytes(6).toString('hex')
  const own = join(folder, `.train.lock.${token}`)
  const { pid } = process
  const started = (await processStat(pid))?.started ?? null
  const owner: Owner = { pid, host: hostname(), started, token }
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
  const owner = parseOwner(text)
  if (!owner) locked(file, 'it does not say by whom')
  if (owner.host !== hostname()) locked(file, `by process ${owner.pid} on ${owner.host}`)
  if (await isRunning(owner)) locked(file, `by process ${owner.pid}`)
  // Who has the claim is the only one that may remove this very lock, and looks once more whether it is still there.
  const claim = `${file}.${owner.token}`
  if (!(await succeeds(link(own, claim), 'EEXIST'))) return
  try {
    if ((await readFile(file, 'utf8').catch(() => undefined)) === text) await rm(file)
  } finally {
    await rm(claim, { force: true })
  }
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner> | null
    const isWhole = Number.isSafeInteger(owner?.pid) && /^[0-9a-f]+$/.test(owner?.token ?? '')
    return isWhole ? (owner as Owner) : undefined
  } catch {
    return undefined
  }
}

/** A number is given to another process after its owner is gone: the start time tells them apart. */
async function isRunning({ pid, started }: Owner): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const stat = await processStat(pid)
  if (!stat) return true
  return stat.state !== 'Z' && (started === null || stat.started === started)
}

/** State and start time of a process; undefined on systems without /proc. */
async function processStat(pid: number): Promise<{ state: string; started: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The name before the bracket may hold anything; state is field 3 and the start time field 22.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, started] = [fields?.[0], fields?.[19]]
  return state !== undefined && started !== undefined ? { state, started } : undefined
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
