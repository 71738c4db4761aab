import { spawn } from 'node:child_process'
import { type FileHandle, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownProcess, type ProcessOwner } from '@trimkv/io'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { waitForLock } from './file-lock.ts'

/** What the file system pretends. */
const pretended = vi.hoisted(() => ({ isFull: false }))

vi.mock('node:fs/promises', async (importActual) => {
  const actual = await importActual<typeof import('node:fs/promises')>()
  const refuse = () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
  return {
    ...actual,
    async open(...given: Parameters<typeof actual.open>): Promise<FileHandle> {
      const handle = await actual.open(...given)
      return pretended.isFull ? Object.assign(handle, { writeFile: refuse }) : handle
    },
  }
})

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trimkv-file-lock-'))
})
afterEach(async () => {
  pretended.isFull = false
  vi.restoreAllMocks()
  await rm(folder, { recursive: true })
})

const path = (): string => join(folder, 'deep/a.lock')
const take = (signal = AbortSignal.timeout(10_000)) =>
  waitForLock(path(), { signal, isWanted: async () => true })
const foreign = JSON.stringify({ pid: 1, host: 'elsewhere', started: null, token: 'a1' })

async function leave(text: string): Promise<void> {
  await using _made = await take()
  await writeFile(path(), text)
}

async function goneProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''])
  await new Promise((resolve) => child.on('close', resolve))
  return child.pid!
}

/** What a lock says whose owner is this process but for some of it. */
const ownerText = async (owner: Partial<ProcessOwner>): Promise<string> =>
  JSON.stringify({ ...(await ownProcess()), token: 'a1', ...owner })

describe('waitForLock', () => {
  it('lets one in at a time', async () => {
    let inside = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        await using _lock = await take()
        most = Math.max(most, ++inside)
        await new Promise((resolve) => setTimeout(resolve, 5))
        inside--
      }),
    )
    expect(most).toBe(1)
    expect(await readdir(join(folder, 'deep'))).toEqual([])
  })

  it('ends when the lock is no longer wanted, or the signal says so', async () => {
    await using _held = await take()
    expect(
      await waitForLock(path(), { signal: AbortSignal.timeout(9_000), isWanted: async () => false }),
    ).toBeUndefined()
    await expect(take(AbortSignal.timeout(50))).rejects.toThrow(/timeout/)
  })

  it('takes over at once from a process of this machine that is gone', async () => {
    await leave(await ownerText({ pid: await goneProcess(), started: null }))
    await using _lock = await take(AbortSignal.timeout(2_000))
    expect(JSON.parse(await readFile(path(), 'utf8')).pid).toBe(process.pid)
    expect(await readdir(join(folder, 'deep'))).toEqual(['a.lock'])
  })

  it.runIf(process.platform === 'linux')('knows a number that was given to another process', async () => {
    await leave(await ownerText({ started: '1' }))
    await using _lock = await take(AbortSignal.timeout(2_000))
  })

  it.each([
    ['of another machine', async () => foreign],
    [
      'of a container with the name of this machine',
      async () => ownerText({ pid: await goneProcess(), started: null, space: '00000000' }),
    ],
    ['that is empty', async () => ''],
    ['that is cut off', async () => '{"pid":'],
  ])('leaves one %s to its owner while it is touched, and takes it when it is not', async (_which, made) => {
    const text = await made()
    await leave(text)
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const waiting = take()
    for (let beat = 1; beat <= 2; beat++) {
      now += 30_000
      await utimes(path(), beat, beat)
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    expect(await readFile(path(), 'utf8')).toBe(text)
    now += 50_000
    await new Promise((resolve) => setTimeout(resolve, 250))
    now += 50_000
    await using _lock = await waiting
    expect(JSON.parse(await readFile(path(), 'utf8')).pid).toBe(process.pid)
  })

  it('leaves none when the disk is full', async () => {
    pretended.isFull = true
    await expect(take()).rejects.toMatchObject({ code: 'TRIMKV_DISK' })
    expect(await readdir(join(folder, 'deep'))).toEqual([])
    pretended.isFull = false
    await using _lock = await take(AbortSignal.timeout(2_000))
  })

  it('leaves a lock that is no longer its own', async () => {
    await leave(foreign)
    expect(await readFile(path(), 'utf8')).toBe(foreign)
  })
})
