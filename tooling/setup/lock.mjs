// @ts-check
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits until no other process holds the lock, then holds it until this process ends or releases it. The lock of a process
 * that died is taken over.
 * @param {string} path file that is the lock
 * @param {() => void} onWait called once when somebody else holds it
 * @returns {Promise<() => void>} releases the lock
 */
export async function takeLock(path, onWait) {
  for (let isFirst = true; ; isFirst = false) {
    if (tryLock(path)) break
    if (isFirst) onWait()
    await sleep(200)
  }
  const release = () => {
    process.off('exit', release)
    rmSync(path, { force: true })
  }
  process.on('exit', release)
  return release
}

/** @param {string} path */
function tryLock(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    if (!isHeld(path)) rmSync(path, { force: true })
    return false
  }
}

/** @param {string} path @returns {boolean} whether the process that wrote the lock is alive */
function isHeld(path) {
  try {
    const owner = Number(readFileSync(path, 'utf8'))
    // Another process may have made the file and not yet written to it.
    if (owner === 0) return true
    process.kill(owner, 0)
    return true
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
}
