// @ts-check
import { existsSync, readdirSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { build } from 'tsup'
import { readPackages } from '../workspace.mjs'

/**
 * A file `test/fuzz/<name>.fuzz.ts` of a package.
 * @typedef {object} TargetFile
 * @property {string} name
 * @property {string} file
 */

const ending = '.fuzz.ts'

/**
 * All fuzz targets of the workspace, by name.
 * @param {string} root
 * @returns {TargetFile[]}
 */
export function findTargets(root) {
  const folders = readPackages(root).map(({ folder }) => join(folder, 'test/fuzz'))
  const files = folders.filter(existsSync).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(ending))
      .map((name) => ({ name: basename(name, ending), file: join(folder, name) })),
  )
  return files.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * Puts a target and all it imports into one file, from source: processes cannot load TypeScript.
 * @param {TargetFile} target
 * @param {{ root: string, folder: string }} where the root of the repository, and where the file goes
 * @returns {Promise<string>} its path
 */
export async function bundleTarget({ name, file }, { root, folder }) {
  await build({
    entry: { [name]: relative(root, file) },
    outDir: folder,
    config: false,
    silent: true,
    format: 'esm',
    target: 'node20',
    platform: 'node',
    outExtension: () => ({ js: '.mjs' }),
    noExternal: [/./],
    // Packages that were written for CommonJS call it.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url)",
    },
    esbuildOptions: (options) => {
      options.conditions = ['@trimkv/source']
      options.absWorkingDir = root
      options.charset = 'utf8'
    },
  })
  return join(folder, `${name}.mjs`)
}
