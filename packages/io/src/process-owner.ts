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
  /** Since when its machine runs; null where a machine cannot be told from others. */
  readonly boot: { readonly machine: string; readonly id: string } | null
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
  return { pid, host: hostname(), started, space: await processSpace(), boot: await findBoot() }
}

const shortHash = (...texts: readonly string[]): string =>
  createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 8)
const readBoot = (): Promise<string> => readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')

async function findProcessSpace(): Promise<string> {
  const container = await readlink('/proc/self/ns/pid').catch(() => '')
  return shortHash(hostname(), await readBoot(), container)
}

async function findBoot(): Promise<ProcessOwner['boot']> {
  const machine = await readFile('/etc/machine-id', 'utf8').catch(() => '')
  const boot = await readBoot()
  if (machine.trim() === '' || boot === '') return null
  return { machine: shortHash(hostname(), machine), id: shortHash(boot) }
}

let known: Promise<string> | undefined
const processSpace = (): Promise<string> => (known ??= findProcessSpace())

/** Whether {@link isRunning} can tell of a process: a name of a machine alone does not say so, containers may share it. */
export const isOfThisSpace = async ({ space }: Pick<ProcessOwner, 'space'>): Promise<boolean> =>
  space === (await processSpace())

/** Whether a process ran on this machine before it was started again, as after a power cut: it is gone. */
export async function isOfEarlierBoot({ boot }: Pick<ProcessOwner, 'boot'>): Promise<boolean> {
  const own = await findBoot()
  return own !== null && own.machine === boot?.machine && own.id !== boot.id
}

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
