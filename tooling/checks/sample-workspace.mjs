// @ts-check
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/**
 * @param {string} name
 * @param {Record<string, unknown>} [fields]
 * @returns {string} the text of a package.json that passes every check
 */
export const samplePackage = (name, fields = {}) =>
  JSON.stringify({
    name,
    version: '1.0.0',
    description: 'A sample',
    license: 'Apache-2.0',
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20.19' },
    exports: {
      '.': { '@trimkv/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
    },
    files: ['dist'],
    ...fields,
  })

/**
 * Writes a workspace of two packages, `alpha` and `beta` that imports it, for the running test.
 * @param {Record<string, string | undefined>} [changes] files to add, replace or (undefined) leave out, by path
 * @returns {string} its root, removed when the test ends
 */
export function sampleWorkspace(changes = {}) {
  const root = mkdtempSync(join(tmpdir(), 'trimkv-check-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  /** @type {Record<string, string | undefined>} */
  const files = {
    'package.json': JSON.stringify({ devDependencies: { vitest: '1.0.0' } }),
    'pnpm-workspace.yaml': 'packages:\n  - packages/*\n',
    'packages/alpha/package.json': samplePackage('alpha'),
    'packages/alpha/src/index.ts': "export { one } from './one.ts'\n",
    'packages/alpha/src/one.ts': 'export const one = 1\n',
    'packages/beta/package.json': samplePackage('beta', { dependencies: { alpha: 'workspace:*' } }),
    'packages/beta/src/index.ts': "import { one } from 'alpha'\nexport const two = one + one\n",
    ...changes,
  }
  for (const folder of ['packages/alpha', 'packages/beta']) {
    for (const name of ['README.md', 'tsconfig.json', 'tsup.config.ts']) files[`${folder}/${name}`] ??= ''
  }
  for (const [path, text] of Object.entries(files)) {
    if (text === undefined) continue
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}
