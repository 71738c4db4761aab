// @ts-check
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { problemAffectsResolutionKind, problemKindInfo } from '@arethetypeswrong/core/problems'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { packPackages } from '../pack/pack-packages.mjs'
import { readPackages } from '../workspace.mjs'

/** @typedef {import('@arethetypeswrong/core').Package} PackedFiles */
/** @typedef {{ name: string, path: string }} Place whose package it is, and where it is in the workspace */

/** What every package has beside the files it names. */
const always = ['LICENSE', 'README.md', 'package.json']

/** Sources and what belongs to them; declarations are no sources. */
const ofTheWorkspace =
  /\.test\.|(?<!\.d)\.[cm]?tsx?$|^(?:src|test|examples|node_modules)\/|tsconfig|tsup\.config|\.tsbuildinfo$|\.node$/

/**
 * Packs each public package as it is published and looks at what came out: its files, its manifest, its types.
 * @param {string} root
 * @returns {Promise<string[]>} problems
 */
export async function checkPackaging(root) {
  const packages = readPackages(root).filter(({ manifest }) => manifest.private !== true)
  const unbuilt = packages.filter(({ folder }) => !existsSync(join(folder, 'dist')))
  if (unbuilt.length > 0) return unbuilt.map(({ path }) => `${path}: not built, run \`pnpm build\` first`)

  const published = new Set(packages.map(({ name }) => name))
  const folder = mkdtempSync(join(tmpdir(), 'trimkv-packed-'))
  try {
    const tarballs = await packPackages(root, folder)
    const found = tarballs.map(({ file }, i) => {
      const { name = '', path = '' } = packages[i] ?? {}
      return problemsOf(readFileSync(file), { name, path }, published)
    })
    return (await Promise.all(found)).flat()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * @param {Buffer<ArrayBuffer>} tarball
 * @param {Place} place
 * @param {ReadonlySet<string>} published packages of the workspace that are
 */
async function problemsOf(tarball, { name, path }, published) {
  const bytes = new Uint8Array(tarball)
  const files = createPackageFromTarballData(bytes)
  const base = `/node_modules/${name}/`
  const names = files.listFiles().map((file) => file.slice(base.length))
  const manifest = JSON.parse(files.readFile(`${base}package.json`))
  const found = [
    ...fileProblems(names, manifest),
    ...manifestProblems(manifest, published),
    ...(await lintProblems(bytes, manifest)),
    ...(await typeProblems(files)),
  ]
  return found.map((problem) => `${path}: ${problem}`)
}

/**
 * @param {readonly string[]} names of the files of a package
 * @param {{ files?: string[] }} manifest
 * @returns {string[]} problems
 */
export function fileProblems(names, { files = [] }) {
  const named = (/** @type {string} */ name) =>
    files.some((file) => name === file || name.startsWith(`${file}/`))
  return [
    ...always.filter((name) => !names.includes(name)).map((name) => `${name} is not packed`),
    ...names
      .filter((name) => ofTheWorkspace.test(name) || !(always.includes(name) || named(name)))
      .map((name) => `${name} is packed and should not be`),
  ]
}

/**
 * @param {Record<string, unknown>} manifest
 * @param {ReadonlySet<string>} published
 * @returns {string[]} problems
 */
export function manifestProblems(manifest, published) {
  const dependencies = Object.entries({
    .../** @type {Record<string, string>} */ (manifest.dependencies),
    .../** @type {Record<string, string>} */ (manifest.optionalDependencies),
  })
  const own = dependencies.filter(([name]) => name === 'trimkv' || name.startsWith('@trimkv/'))
  return [
    ...['devDependencies', 'scripts']
      .filter((field) => field in manifest)
      .map((field) => `package.json publishes "${field}", which is of no use to who installs it`),
    ...dependencies
      .filter(([, range]) => /^(?:workspace|catalog|link|file):/.test(range))
      .map(([name, range]) => `package.json asks for ${name} as ${range}`),
    ...own
      .filter(([name, range]) => range !== manifest.version || !(published.has(name) || isPlatform(name)))
      .map(([name, range]) => `package.json asks for ${name} ${range}, which is not published with it`),
    ...(JSON.stringify(manifest.exports).includes('@trimkv/source')
      ? ['package.json exports sources, which are not packed']
      : []),
  ]
}

const isPlatform = (/** @type {string} */ name) => /^@trimkv\/tensor-(?:linux|darwin|win32)-/.test(name)

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Record<string, unknown>} manifest
 */
async function lintProblems(bytes, manifest) {
  const { messages } = await publint({ strict: true, pack: { tarball: bytes.buffer } })
  return messages.map((message) => `package.json: ${formatMessage(message, manifest, { color: false })}`)
}

/**
 * Types as a program finds them that imports the package; these packages are modules alone.
 * @param {PackedFiles} files
 */
async function typeProblems(files) {
  const result = await checkPackage(files)
  if (!result.types) return ['there are no types']
  const found = result.problems
    .filter((problem) =>
      /** @type {const} */ (['node16-esm', 'bundler']).some((kind) =>
        problemAffectsResolutionKind(problem, kind, result),
      ),
    )
    .map((problem) => `${problemKindInfo[problem.kind].shortDescription}: ${placeOf(problem)}`)
  return [...new Set(found)]
}

/** @param {import('@arethetypeswrong/core').Problem} problem */
function placeOf(problem) {
  if ('entrypoint' in problem) return `types of "${problem.entrypoint}"`
  const file = 'fileName' in problem ? problem.fileName : problem.typesFileName
  return `${file.split('/').slice(-2).join('/')}${'moduleSpecifier' in problem ? ` imports ${problem.moduleSpecifier}` : ''}`
}
