import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownProcess, type ProcessOwner } from '@trimkv/io'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockFolder } from './folder-lock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trimkv-lock-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const lockFile = (): string => join(folder, 'train.lock')
const held = { code: 'TRIMKV_LOCKED', message: expect.stringContaining('train.lock') }

/** A process that waits until it is killed. */
async function otherProcess(): Promise<{ pid: number; kill(): Promise<void> }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()))
  await new Promise((resolve) => child.on('spawn', resolve))
  const kill = (): Promise<void> => {
    child.kill('SIGKILL')
    return closed
  }
  return { pid: child.pid!, kill }
}

const own = await ownProcess()

/** What a lock says whose owner is this process but for some of it. */
const ownerText = (owner: Partial<ProcessOwner>): string => JSON.stringify({ ...own, token: 'a1', ...owner })

describe('lockFolder', () => {
  it('lets one in, and the next when the first is done', async () => {
    const lock = await lockFolder(folder)
    await expect(lockFolder(folder)).rejects.toMatchObject(held)
    await lock[Symbol.asyncDispose]()
    await using _next = await lockFolder(folder)
    expect(await readdir(folder)).toEqual(['train.lock'])
  })

  it('waits for a process that runs, and takes over from one that is gone', async () => {
    const other = await otherProcess()
    const text = ownerText({ pid: other.pid, started: null })
    await writeFile(lockFile(), text)
    await expect(lockFolder(folder)).rejects.toMatchObject(held)
    expect(await readFile(lockFile(), 'utf8')).toBe(text)
    await other.kill()
    await using _lock = await lockFolder(folder)
    expect(JSON.parse(await readFile(lockFile(), 'utf8')).pid).toBe(process.pid)
  })

  it.runIf(process.platform === 'linux')('knows a number that was given to another process', async () => {
    await writeFile(lockFile(), ownerText({ started: '1' }))
    await using _lock = await lockFolder(folder)
    expect(JSON.parse(await readFile(lockFile(), 'utf8')).started).not.toBe('1')
  })

  it('leaves alone what it cannot judge', async () => {
    const other = await otherProcess()
    await other.kill()
    for (const text of [
      ownerText({ pid: other.pid, started: null, space: '00000000' }),
      JSON.stringify({ pid: 1, host: 'elsewhere', started: null, token: 'a1' }),
      '',
      '{"pid":',
      '{"pid":1,"token":"../x"}',
    ]) {
      await writeFile(lockFile(), text)
      await expect(lockFolder(folder)).rejects.toMatchObject(held)
      expect(await readFile(lockFile(), 'utf8')).toBe(text)
    }
  })

  it.runIf(own.boot)('takes over from before the machine was started again', async () => {
    const before = { space: '00000000', boot: { ...own.boot!, id: '00000000' } }
    await writeFile(lockFile(), ownerText({ ...before, boot: { ...before.boot, machine: '00000000' } }))
    await expect(lockFolder(folder)).rejects.toMatchObject(held)
    // Its number may be another process's by now, such as ours.
    await writeFile(lockFile(), ownerText(before))
    await using _lock = await lockFolder(folder)
    expect(JSON.parse(await readFile(lockFile(), 'utf8'))).toMatchObject(own)
  })

  it('gives a stale lock to exactly one of many', async () => {
    const other = await otherProcess()
    await other.kill()
    const stale = ownerText({ pid: other.pid, started: null })
    for (let round = 0; round < 20; round++) {
      await writeFile(lockFile(), stale)
      const takers = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)))
      expect(takers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await readdir(folder)).toEqual(['train.lock'])
    }
  })
})
