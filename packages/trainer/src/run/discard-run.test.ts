import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { discardRun } from './discard-run.ts'
import { lockFolder } from './folder-lock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trimkv-discard-'))
})
afterEach(() => rm(folder, { recursive: true }))

const write = async (...names: string[]): Promise<void> => {
  for (const name of names) await writeFile(join(folder, name), 'content')
}
const own = ['best.safetensors', 'checkpoint.safetensors', 'metrics.jsonl']

it('deletes a run, what it left unfinished, and nothing else', async () => {
  await write(...own, '.checkpoint.safetensors.0af3.tmp', 'notes.txt')
  await mkdir(join(folder, 'old'))
  expect(await discardRun(folder)).toBe(true)
  expect((await readdir(folder)).sort()).toEqual(['notes.txt', 'old'])
})

it('deletes a run that was discarded in part, and finds none where none was', async () => {
  await write('metrics.jsonl')
  expect(await discardRun(folder)).toBe(true)
  expect(await discardRun(folder)).toBe(false)
  await write('.checkpoint.safetensors.0af3.tmp', 'train.lock')
  expect(await discardRun(folder)).toBe(false)
  expect(await discardRun(join(folder, 'missing'))).toBe(false)
})

it('refuses a folder of other files', async () => {
  await write('notes.txt')
  await expect(discardRun(folder)).rejects.toMatchObject({
    code: 'TRIMKV_OPTION',
    message: expect.stringContaining('notes.txt'),
  })
})

it('refuses a run that goes on elsewhere', async () => {
  await write(...own)
  await using _lock = await lockFolder(folder)
  await expect(discardRun(folder)).rejects.toMatchObject({ code: 'TRIMKV_LOCKED' })
  expect(await readdir(folder)).toEqual(expect.arrayContaining(own))
})
