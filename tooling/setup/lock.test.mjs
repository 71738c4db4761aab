// @ts-check
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { takeLock } from './lock.mjs'

function lockPath() {
  const folder = mkdtempSync(join(tmpdir(), 'trimkv-lock-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'lock')
}

it('makes the second wait for the first', async () => {
  const path = lockPath()
  const onWait = vi.fn()
  const release = await takeLock(path, onWait)
  expect(onWait).not.toHaveBeenCalled()
  let hasSecond = false
  const second = takeLock(path, onWait).then((releaseSecond) => {
    hasSecond = true
    return releaseSecond
  })
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(hasSecond).toBe(false)
  expect(onWait).toHaveBeenCalledTimes(1)
  release()
  const releaseSecond = await second
  expect(existsSync(path)).toBe(true)
  releaseSecond()
  expect(existsSync(path)).toBe(false)
})

it('takes over the lock of a process that died', async () => {
  const path = lockPath()
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  writeFileSync(path, String(pid))
  const release = await takeLock(path, () => {})
  release()
  expect(existsSync(path)).toBe(false)
})
