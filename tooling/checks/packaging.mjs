// @ts-check
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { readPackages } from '../workspace.mjs'

/**
 * Lints each public package as it would be published, from its built files.
 * @param {string} root
 * @returns {Promise<string[]>} problems
 */
export async function checkPackaging(root) {
  const packages = readPackages(root).filter(({ manifest }) => manifest.private !== true)
  const found = await Promise.all(packages.map(lintPackage))
  return found.flat()
}

/** @param {import('../workspace.mjs').Package} entry */
async function lintPackage({ folder, path, manifest }) {
  if (!existsSync(join(folder, 'dist'))) return [`${path}: not built, run \`pnpm build\` first`]
  const { messages } = await publint({ pkgDir: folder, strict: true, pack: 'npm' })
  return messages.map(
    (message) => `${path}/package.json: ${formatMessage(message, manifest, { color: false })}`,
  )
}
