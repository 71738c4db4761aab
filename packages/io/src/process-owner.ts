import { createHash } from 'node:crypto'
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'

/** A process, so that others can tell whether it still runs. */
export interface ProcessOwner {
  readonly pid: number
  readonly host: string
  /** When the process started, in the units of its system; null where that is not known. */
  readonly started: string | null
  /** Where its number means this process: one boot of one machine, and in it one container. */
  readonly space: string
}

/** A process that holds a lock. */
export interface LockOwner extends ProcessOwner {
  /** Tells this lock from all others: hexadecimal digits. */
  readonly token: string
}

/** This process. */
export async function ownProcess(): Promise<ProcessOwner> {
  const { pid } = process
  const started = (await processStat(pid))?.started ?? null
  return { pid, host: hostname(), started, space: await processSpace() }
}

async function findProcessSpace(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  const container = await readlink('/proc/self/ns/pid').catch(() => '')
  return createHash('sha256').update(`${hostname()}\n${boot}\n${container}`).digest('hex').slice(0, 8)
}

let known: Promise<string> | undefined
const processSpace = (): Promise<string> => (known ??= findProcessSpace())

/** Whether {@link isRunning} can tell of a process: a name of a machine alone does not say so, containers may share it. */
export const isOfThisSpace = async ({ space }: Pick<ProcessOwner, 'space'>): Promise<boolean> =>
  space === (await processSpace())

/** The owner that a lock names; undefined for a text that names none. */
export function parseLockOwner(text: string): LockOwner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<LockOwner> | null
    const pid = owner?.pid ?? 0
    const isWhole = Number.isSafeInteger(pid) && pid > 0 && /^[0-9a-f]+$/.test(owner?.token ?? '')
    return isWhole ? (owner as LockOwner) : undefined
  } catch {
    return undefined
  }
}

/**
 * Whether a process of this space runs. A number is given to another process after its owner is gone: the start time tells
 * them apart, where it is known.
 */
export async function isRunning({ pid, started }: Pick<ProcessOwner, 'pid' | 'started'>): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const found = await processStat(pid)
  if (!found) return true
  return found.state !== 'Z' && (started === null || found.started === started)
}

/** State and start time of a process; undefined on systems without /proc. */
async function processStat(pid: number): Promise<{ state: string; started: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The name before the bracket may hold anything; state is field 3 and the start time field 22.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, started] = [fields?.[0], fields?.[19]]
  return state !== undefined && started !== undefined ? { state, started } : undefined
}
