// @ts-check
import { readFileSync } from 'node:fs'

/**
 * @typedef {object} Target a system that an addon is published for
 * @property {string} platform as in the name of its package
 * @property {string} os as `process.platform` says it
 * @property {string} cpu as `process.arch` says it
 * @property {string} libc as npm says it
 * @property {string} glibcFloor the newest glibc its addon may need
 */

/** @type {readonly Target[]} */
export const targets = JSON.parse(readFileSync(new URL('targets.json', import.meta.url), 'utf8'))

/** @param {Target} target */
export const platformPackageName = ({ platform }) => `@trimkv/tensor-${platform}`

/**
 * What of a package.json is published: nothing that is of use in the workspace alone. The tensor package gets its platform
 * packages here, in its own version, so that installs in the workspace never look for what is not published yet.
 * @param {import('../workspace.mjs').Manifest & Record<string, unknown>} manifest
 * @returns {Record<string, unknown>}
 */
export function publishedManifest({ devDependencies: _, scripts: __, ...manifest }) {
  /** @type {Record<string, unknown>} */
  const published = { ...manifest, exports: withoutSource(manifest.exports) }
  if (manifest.name === '@trimkv/tensor') {
    const names = targets.map(platformPackageName)
    published.optionalDependencies = Object.fromEntries(names.map((name) => [name, manifest.version]))
  }
  return published
}

/** @param {Record<string, unknown> | undefined} exports */
const withoutSource = (exports = {}) =>
  Object.fromEntries(
    Object.entries(exports).map(([key, target]) => {
      const { '@trimkv/source': _, ...conditions } = /** @type {Record<string, string>} */ (target)
      return [key, conditions]
    }),
  )
