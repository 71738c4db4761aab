// @ts-check
// What is in the workspace. Node alone, for the setup reads it before anything is installed.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const generated = /^(?:node_modules|dist|build(?:-[\w-]+)?|coverage|\.turbo|\.fuzz|\.git)$/

/**
 * @typedef {object} Manifest the fields of package.json that the tools read
 * @property {string} [name]
 * @property {string} [version]
 * @property {boolean} [private]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [devDependencies]
 * @property {Record<string, string>} [optionalDependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, string>} [scripts]
 * @property {Record<string, unknown>} [exports]
 */

/**
 * @typedef {object} Package
 * @property {string} name
 * @property {string} folder absolute path
 * @property {string} path relative to the root, such as `packages/io`
 * @property {Manifest & Record<string, unknown>} manifest
 */

/**
 * Every file below `folder` whose path `accepts` takes, sorted; generated folders are left out.
 * @param {string} folder
 * @param {(path: string) => boolean} accepts
 * @returns {string[]} absolute paths
 */
export function listFiles(folder, accepts) {
  if (!existsSync(folder)) return []
  const found = []
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !generated.test(entry.name)) found.push(...listFiles(path, accepts))
    if (entry.isFile() && accepts(path)) found.push(path)
  }
  return found.sort()
}

/**
 * The packages that pnpm-workspace.yaml lists, sorted by folder.
 * @param {string} root
 * @returns {Package[]}
 */
export function readPackages(root) {
  const yaml = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8')
  const section = /^packages:\n((?: +- .*\n?)+)/m.exec(yaml)?.[1] ?? ''
  const globs = [...section.matchAll(/- ["']?([^"'\n]+)["']?/g)].map((match) => match[1] ?? '')
  const paths = globs.flatMap((glob) => {
    if (!glob.endsWith('/*')) return [glob]
    const group = glob.slice(0, -2)
    return existsSync(join(root, group))
      ? readdirSync(join(root, group)).map((name) => `${group}/${name}`)
      : []
  })
  return paths
    .filter((path) => existsSync(join(root, path, 'package.json')))
    .sort()
    .map((path) => {
      const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))
      return { name: manifest.name ?? path, folder: join(root, path), path, manifest }
    })
}
