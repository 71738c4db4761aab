import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fail } from '@trimkv/tensor'

/**
 * Says before the work, which may take minutes, what would stop its file from being written.
 * @throws TRIMKV_NOT_FOUND without a folder for it, TRIMKV_OPTION where a folder has its name
 */
export function checkTarget(path: string): void {
  const folder = dirname(path)
  if (!existsSync(folder))
    fail('TRIMKV_NOT_FOUND', `There is no folder ${folder} to write to`, { details: { path } })
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
    fail('TRIMKV_OPTION', `${path} is a folder`, { hint: 'give the path of a file', details: { path } })
}

/**
 * As {@link checkTarget}, of a command that replaces files with `--force` only.
 * @throws TRIMKV_OPTION for a file that exists
 */
export function checkNewTarget(path: string, force: boolean): void {
  checkTarget(path)
  if (existsSync(path) && !force)
    fail('TRIMKV_OPTION', `${path} exists`, { hint: 'choose another file, or replace it with --force' })
}
