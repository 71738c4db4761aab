import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { waitForLock } from './file-lock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trimkv-file-lock-'))
})
afterEach(async () => {
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
    await leave(JSON.stringify({ pid: await goneProcess(), host: hostname(), started: null, token: 'a1' }))
    await using _lock = await take(AbortSignal.timeout(2_000))
    expect(JSON.parse(await readFile(path(), 'utf8')).pid).toBe(process.pid)
    expect(await readdir(join(folder, 'deep'))).toEqual(['a.lock'])
  })

  it.runIf(process.platform === 'linux')('knows a number that was given to another process', async () => {
    await leave(JSON.stringify({ pid: process.pid, host: hostname(), started: '1', token: 'a1' }))
    await using _lock = await take(AbortSignal.timeout(2_000))
  })

  it.each([foreign, '', '{"pid":'])(
    'leaves %j to its owner while it is touched, and takes it when it is not',
    async (text) => {
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
    },
  )

  it('leaves a lock that is no longer its own', async () => {
    await leave(foreign)
    expect(await readFile(path(), 'utf8')).toBe(foreign)
  })
})
