import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type HubServer, startHubServer } from '../test/hub-server.ts'
import { downloadModel } from './download-model.ts'

/** What the file system pretends. */
const pretended: { free: number | undefined; hasLinks: boolean } = vi.hoisted(() => ({
  free: undefined,
  hasLinks: true,
}))

vi.mock('node:fs/promises', async (importActual) => {
  const actual = await importActual<typeof import('node:fs/promises')>()
  return {
    ...actual,
    statfs: async (path: string) => {
      const real = await actual.statfs(path)
      return pretended.free === undefined ? real : { ...real, bsize: 1, bavail: pretended.free }
    },
    symlink: (target: string, path: string) => {
      if (pretended.hasLinks) return actual.symlink(target, path)
      return Promise.reject(Object.assign(new Error('no privilege'), { code: 'EPERM' }))
    },
  }
})

const weights = randomBytes(3_000_000)

let hub: HubServer
let cacheDir: string
beforeEach(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'trimkv-storage-'))
  hub = await startHubServer({ 'config.json': Buffer.from('{}'), 'model.safetensors': weights })
})
afterEach(async () => {
  Object.assign(pretended, { free: undefined, hasLinks: true })
  await hub[Symbol.asyncDispose]()
  spawnSync('umount', [cacheDir])
  rmSync(cacheDir, { recursive: true })
})

const download = (into = cacheDir) =>
  downloadModel('org/name', { endpoint: hub.endpoint, cacheDir: into, token: '', offline: false })

describe('a full disk', () => {
  it('is told before anything is fetched', async () => {
    pretended.free = 2_999_999
    await expect(download()).rejects.toMatchObject({
      code: 'TRIMKV_DISK',
      details: { needed: 3_000_002, free: 2_999_999 },
    })
    expect(hub.downloads('model.safetensors')).toEqual([])
    pretended.free = 3_000_002
    await download()
    pretended.free = 0
    await download()
  })

  it('is told where not even a folder can be made', async (context) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=1', 'tmpfs', cacheDir])
    if (mounted.status !== 0) context.skip('a small file system cannot be mounted here')
    await expect(download(join(cacheDir, 'below', 'it'))).rejects.toMatchObject({
      code: 'TRIMKV_DISK',
      message: expect.stringMatching(/below.*cannot be written[^]*ENOSPC[^]*free some space/),
    })
  })

  it('met while writing is told, and the download goes on when there is room', async (context) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', cacheDir])
    if (mounted.status !== 0) context.skip('a small file system cannot be mounted here')
    const { bavail, bsize } = await statfs(cacheDir)
    writeFileSync(join(cacheDir, 'filler'), Buffer.alloc(bavail * bsize - 2_000_000))
    pretended.free = 1e9
    await expect(download()).rejects.toMatchObject({
      code: 'TRIMKV_DISK',
      message: expect.stringMatching(/ENOSPC[^]*free some space/),
    })
    expect(readdirSync(join(cacheDir, 'models--org--name'))).toEqual(['blobs'])
    rmSync(join(cacheDir, 'filler'))
    const { dir } = await download()
    expect(readFileSync(join(dir, 'model.safetensors')).equals(weights)).toBe(true)
    expect(hub.downloads('model.safetensors').at(-1)?.range).toMatch(/^bytes=[1-9]/)
  })
})

it('tells a cache that cannot be written', async () => {
  writeFileSync(join(cacheDir, 'models--org--name'), 'a file where a folder should be')
  await expect(download()).rejects.toMatchObject({
    code: 'TRIMKV_IO',
    message: expect.stringMatching(/HF_HUB_CACHE/),
  })
})

it('copies where the system has no links, once', async () => {
  pretended.hasLinks = false
  const { dir } = await download()
  const path = join(dir, 'model.safetensors')
  expect(lstatSync(path).isSymbolicLink()).toBe(false)
  expect(readFileSync(path).equals(weights)).toBe(true)
  chmodSync(path, 0o600)
  await download()
  expect(lstatSync(path).mode & 0o777).toBe(0o600)
})

it('a cache that has everything needs no writing', async () => {
  await download()
  rmSync(join(cacheDir, '.locks'), { recursive: true })
  writeFileSync(join(cacheDir, '.locks'), 'in the way of every write')
  await download()
})
