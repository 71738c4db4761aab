// @ts-check
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { listFiles, readPackages } from '../workspace.mjs'

const declarations = 'packages/tensor/src/errors.ts'

/**
 * Every error code is documented and thrown somewhere, and nothing else is documented.
 * @param {string} root
 * @returns {string[]} problems
 */
export function checkErrorCodes(root) {
  const declared = [...readFileSync(join(root, declarations), 'utf8').matchAll(/^ {2}\| '(\w+)'$/gm)].map(
    (m) => m[1] ?? '',
  )
  const documented = [...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^## (\w+)$/gm)].map(
    (m) => m[1] ?? '',
  )
  const sources = readPackages(root)
    .flatMap(({ folder }) =>
      listFiles(folder, (path) => /\.(ts|cc|h)$/.test(path) && !path.endsWith('.test.ts')),
    )
    .filter((path) => path !== join(root, declarations))
    .map((path) => readFileSync(path, 'utf8'))
  return [
    ...(declared.length === 0 ? [`${declarations}: no error code found`] : []),
    ...declared
      .filter((code) => !documented.includes(code))
      .map((code) => `docs/errors.md: no section "## ${code}"`),
    ...documented
      .filter((code) => !declared.includes(code))
      .map((code) => `docs/errors.md: ${code} does not exist`),
    ...declared
      .filter((code) => !sources.some((text) => new RegExp(`\\b${code}\\b`).test(text)))
      .map((code) => `${declarations}: ${code} is never reported`),
  ]
}
