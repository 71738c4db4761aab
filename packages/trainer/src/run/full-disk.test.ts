import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDevice, type Device } from '@trimkv/tensor'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { lineFitRun } from '../../test/line-fit-run.ts'
import { runResults } from '../../test/run-results.ts'
import { train } from './train.ts'

/** Free bytes that the file system reports; undefined: what it has. */
const reported: { free: number | undefined } = vi.hoisted(() => ({ free: undefined }))

vi.mock('node:fs/promises', async (importActual) => {
  const actual = await importActual<typeof import('node:fs/promises')>()
  return {
    ...actual,
    statfs: async (path: string) => {
      const real = await actual.statfs(path)
      return reported.free === undefined ? real : { ...real, bsize: 1, bavail: reported.free }
    },
  }
})

let device: Device
let home: string
let folder: string
beforeAll(() => {
  device = createDevice({ threads: 2 })
})
afterAll(() => device[Symbol.dispose]())
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'trimkv-full-'))
  folder = join(home, 'run')
})
afterEach(async () => {
  reported.free = undefined
  spawnSync('umount', [home])
  await rm(home, { recursive: true, force: true })
})

/** Trains until a disk that is filled after step 4 lets the checkpoint of step 6 fail. */
async function trainIntoFullDisk(fill: () => Promise<void> | void): Promise<unknown> {
  const { accumulate, ...trainable } = lineFitRun(device, folder).trainable
  let call = 0
  const failing = {
    ...trainable,
    accumulate: async (...args: Parameters<typeof accumulate>) => {
      if (++call === 9) await fill()
      return accumulate(...args)
    },
  }
  return train({ ...lineFitRun(device, folder), trainable: failing }).catch((error: unknown) => error)
}

async function expectOldCheckpoint(): Promise<void> {
  const text = await readFile(join(folder, 'checkpoint.safetensors'), 'latin1')
  expect(text).toMatch(/\\"state\\":\{\\"step\\":3,/)
  const names = await readdir(folder)
  expect(names.sort()).toEqual(['best.safetensors', 'checkpoint.safetensors', 'metrics.jsonl'])
}

/** The run goes on as if nothing had been when there is space again. */
async function expectSameEnd(): Promise<void> {
  await train(lineFitRun(device, folder))
  const straight = join(home, 'straight')
  await train(lineFitRun(device, straight))
  expect(await runResults(folder)).toEqual(await runResults(straight))
}

describe('a full disk', () => {
  it('is told before a checkpoint is written, which keeps the old one', async () => {
    const error = await trainIntoFullDisk(() => {
      reported.free = 1_100_000
    })
    expect(error).toMatchObject({
      code: 'TRIMKV_DISK',
      message: expect.stringContaining('1100000 bytes are free'),
      details: { free: 1_100_000 },
    })
    await expectOldCheckpoint()
    reported.free = undefined
    await expectSameEnd()
  })

  it('stops a run before its first step', async () => {
    reported.free = 10
    await expect(train(lineFitRun(device, folder))).rejects.toMatchObject({ code: 'TRIMKV_DISK' })
    expect(await readdir(folder)).toEqual([])
  })

  it('is told where not even the folder can be made', async (context) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=1', 'tmpfs', home])
    if (mounted.status !== 0) context.skip('a small file system cannot be mounted here')
    await expect(train(lineFitRun(device, join(folder, 'below')))).rejects.toMatchObject({
      code: 'TRIMKV_DISK',
      message: expect.stringMatching(/cannot be made[^]*ENOSPC[^]*free some space/),
    })
  })

  it('leaves the old checkpoint and nothing else when it is met while writing', async (context) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', home])
    if (mounted.status !== 0) context.skip('a small file system cannot be mounted here')
    const error = await trainIntoFullDisk(async () => {
      const { bavail, bsize } = await statfs(home)
      await writeFile(join(home, 'filler'), Buffer.alloc(bavail * bsize - 65_536))
      reported.free = 1e9
    })
    expect(error).toMatchObject({ code: 'TRIMKV_DISK', message: expect.stringContaining('ENOSPC') })
    await expectOldCheckpoint()
    await rm(join(home, 'filler'))
    await expectSameEnd()
  })
})
