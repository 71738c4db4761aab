// @ts-check
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

const supportedMajor = '10.'

/**
 * Finds pnpm, or has npm fetch the version that package.json names into its own cache.
 * @param {string} root
 * @returns {NodeJS.ProcessEnv} an environment whose PATH has the right pnpm, for turbo looks for it there
 * @throws Error when there is no pnpm and npm cannot fetch it
 */
export function environmentWithPnpm(root) {
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, COREPACK_ENABLE_DOWNLOAD_PROMPT: '0' }
  const found = spawnSync('pnpm', ['--version'], { cwd: root, env, encoding: 'utf8' })
  if (found.status === 0 && found.stdout.startsWith(supportedMajor)) return env

  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  // npm looks at the project it runs in, and cannot read a pnpm workspace: an empty folder keeps it away from ours.
  const elsewhere = mkdtempSync(join(tmpdir(), 'trimkv-pnpm-'))
  try {
    const args = ['exec', '--yes', `--package=${packageManager}`, '-c', 'command -v pnpm']
    const fetched = spawnSync('npm', args, { cwd: elsewhere, env, encoding: 'utf8' })
    const path = fetched.stdout?.trim().split('\n').at(-1)
    if (fetched.status !== 0 || !path) {
      throw new Error(`npm could not fetch ${packageManager}:\n${fetched.stderr ?? fetched.error?.message}`)
    }
    return { ...env, PATH: `${dirname(path)}${delimiter}${env.PATH}` }
  } finally {
    rmSync(elsewhere, { recursive: true, force: true })
  }
}
