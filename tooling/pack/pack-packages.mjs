// @ts-check
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../setup/command.mjs'
import { environmentWithPnpm } from '../setup/pnpm.mjs'
import { readPackages } from '../workspace.mjs'
import { writePlatformPackage } from './platform-package.mjs'

const hooks = join(dirname(fileURLToPath(import.meta.url)), 'pnpmfile.cjs')

/** @typedef {{ name: string, file: string }} Tarball */

/**
 * @param {{ name?: string, version?: string }} manifest
 * @returns {string} the file that npm and pnpm write for it
 */
const tarballName = ({ name = '', version }) => `${name.replace('@', '').replace('/', '-')}-${version}.tgz`

/**
 * Packs every public package of the workspace as it is published, from its built files.
 * @param {string} root
 * @param {string} folder where the tarballs go
 * @returns {Promise<Tarball[]>}
 */
export async function packPackages(root, folder) {
  mkdirSync(folder, { recursive: true })
  const packages = readPackages(root).filter(({ manifest }) => manifest.private !== true)
  const filters = packages.flatMap(({ name }) => ['--filter', name])
  await pnpm(root, [
    ...filters,
    '--recursive',
    `--config.pnpmfile=${hooks}`,
    'pack',
    '--pack-destination',
    folder,
  ])
  return packages.map(({ name, manifest }) => ({ name, file: join(folder, tarballName(manifest)) }))
}

/**
 * Packs the addon that was compiled on this system.
 * @param {string} root
 * @param {string} folder where the tarball goes
 * @returns {Promise<Tarball & { glibc: string, glibcFloor: string }>}
 * @throws Error as {@link writePlatformPackage}
 */
export async function packPlatform(root, folder) {
  mkdirSync(folder, { recursive: true })
  const staged = mkdtempSync(join(tmpdir(), 'trimkv-platform-'))
  try {
    const { name, target, glibc } = await writePlatformPackage(root, staged)
    await pnpm(staged, ['pack', '--pack-destination', folder], root)
    const { version } = readPackages(root).find((entry) => entry.name === '@trimkv/tensor')?.manifest ?? {}
    const file = join(folder, tarballName({ name, ...(version !== undefined && { version }) }))
    return { name, file, glibc, glibcFloor: target.glibcFloor }
  } finally {
    rmSync(staged, { recursive: true, force: true })
  }
}

/**
 * @param {string} cwd
 * @param {readonly string[]} args
 * @param {string} [root] whose pnpm it is
 */
async function pnpm(cwd, args, root = cwd) {
  const env = environmentWithPnpm(root)
  const { code, output } = await runCommand('pnpm', args, { cwd, env, capture: true })
  if (code !== 0) throw new Error(`pnpm ${args.join(' ')} ended with ${code}:\n${output.trim()}`)
}
