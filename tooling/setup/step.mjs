// @ts-check
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/**
 * One step of the setup, skipped while its inputs are unchanged and its outputs exist.
 * @typedef {object} Step
 * @property {string} name
 * @property {string} inputs fingerprint of everything the outputs depend on
 * @property {readonly string[]} outputs absolute paths
 */

/**
 * Hash of paths, sizes and modification times: no file is read, so a warm start stays quick.
 * @param {string} root
 * @param {readonly string[]} files
 */
export function fingerprintOfTimes(root, files) {
  const hash = createHash('sha256')
  for (const file of files) {
    const { size, mtimeMs } = statSync(file)
    hash.update(`${relative(root, file)}\0${size}\0${mtimeMs}\n`)
  }
  return hash.digest('hex')
}

/**
 * Hash of paths and contents.
 * @param {string} root
 * @param {readonly string[]} files
 */
export function fingerprintOfContents(root, files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${relative(root, file)}\0`).update(readFileSync(file))
  return hash.digest('hex')
}

/** @param {string} root @param {string} name */
const stampPath = (root, name) => join(root, 'node_modules', '.cache', 'trimkv', `${name}.stamp`)

/** @param {string} root @param {Step} step */
export function isUpToDate(root, step) {
  const stamp = stampPath(root, step.name)
  return (
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === step.inputs &&
    step.outputs.every((path) => existsSync(path))
  )
}

/** @param {string} root @param {Step} step */
export function markDone(root, step) {
  const stamp = stampPath(root, step.name)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, step.inputs)
}

/** @param {string} root @param {Step} step */
export function markUndone(root, step) {
  rmSync(stampPath(root, step.name), { force: true })
}
