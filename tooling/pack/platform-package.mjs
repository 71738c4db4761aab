// @ts-check
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import semver from 'semver'
import { runCommand } from '../setup/command.mjs'
import { platformPackageName, targets } from './published-manifest.mjs'

/** @typedef {import('./published-manifest.mjs').Target} Target */

const libcOfThis = () => {
  const report = /** @type {{ header?: { glibcVersionRuntime?: string } }} */ (process.report.getReport())
  return report.header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
}

/**
 * The target that an addon compiled on this system is for.
 * @returns {Target}
 * @throws Error when none is published for it
 */
export function targetOfThis() {
  const found = targets.find(
    ({ os, cpu, libc }) => os === process.platform && cpu === process.arch && libc === libcOfThis(),
  )
  if (found) return found
  const known = targets.map(({ platform }) => platform).join(', ')
  throw new Error(
    `no platform package is declared for ${process.platform}-${process.arch} (${libcOfThis()}), only for ${known}`,
  )
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} cwd
 * @returns {Promise<string>} its output
 * @throws Error when it fails or is missing
 */
async function outputOf(program, args, cwd) {
  const { code, output } = await runCommand(program, args, { cwd, capture: true })
  if (code !== 0) throw new Error(`${[program, ...args].join(' ')} ended with ${code}: ${output.trim()}`)
  return output
}

/**
 * The newest glibc that a table of dynamic symbols asks for.
 * @param {string} symbols output of `objdump -T`
 * @returns {string} such as `2.35`
 */
export function glibcOf(symbols) {
  const versions = [...symbols.matchAll(/\bGLIBC_(\d+\.\d+)/g)].map((match) => match[1] ?? '')
  const order = (/** @type {string} */ version) => semver.coerce(version) ?? '0.0.0'
  const newest = versions.sort((a, b) => semver.compare(order(a), order(b))).at(-1)
  if (!newest) throw new Error('the addon names no symbol of glibc')
  return newest
}

/**
 * Writes the package of one platform: the compiled addon without its symbols, and what npm needs to choose it.
 * @param {string} root of the workspace, where the addon was built
 * @param {string} folder where the package goes
 * @returns {Promise<{ name: string, target: Target, glibc: string }>} `glibc` is what this build needs at least
 * @throws Error when the addon is not built, or this system is none of the targets
 */
export async function writePlatformPackage(root, folder) {
  const target = targetOfThis()
  const name = platformPackageName(target)
  const addon = join(folder, 'trimkv.node')
  mkdirSync(folder, { recursive: true })
  await outputOf('strip', ['--strip-unneeded', '-o', addon, 'packages/tensor/build/trimkv.node'], root)
  const glibc = glibcOf(await outputOf('objdump', ['-T', addon], folder))

  const parent = JSON.parse(readFileSync(join(root, 'packages/tensor/package.json'), 'utf8'))
  const { version, license, engines } = parent
  const { os, cpu, libc, platform } = target
  const manifest = {
    name,
    version,
    description: `The compiled core of @trimkv/tensor for ${platform}`,
    license,
    engines,
    os: [os],
    cpu: [cpu],
    libc: [libc],
    main: 'trimkv.node',
    files: ['trimkv.node'],
    preferUnplugged: true,
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
  writeFileSync(
    join(folder, 'README.md'),
    `# ${name}\n\nThe compiled core of \`@trimkv/tensor\` for ${os} on ${cpu} with glibc ${glibc} or newer. It is installed with \`@trimkv/tensor\` and is of no use alone.\n`,
  )
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  return { name, target, glibc }
}
