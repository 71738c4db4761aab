// @ts-check
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Keeps a case that is a finding, with its files, so that it can be looked at and become a test.
 * @param {{ kept: string, name: string, folder: string }} place where findings go, the target, and the files of the case
 * @param {{ seed: number, problem: string }} finding
 */
export function keepFinding({ kept, name, folder }, { seed, problem }) {
  const target = join(kept, `${name}-${seed}`)
  mkdirSync(target, { recursive: true })
  if (existsSync(folder)) cpSync(folder, target, { recursive: true })
  writeFileSync(join(target, 'problem.txt'), `${problem}\n`)
}
