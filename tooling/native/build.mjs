// @ts-check
// Compiles the native core: node tooling/native/build.mjs [--debug | --sanitize | --tests]
// `--tests` compiles and runs the tests of the core, under ThreadSanitizer.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../setup/command.mjs'
import { buildAddon, variants } from './build-addon.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const source = join(root, 'packages/tensor')
const flags = process.argv.slice(2)
const variant = /** @type {keyof typeof variants} */ (flags[0]?.replace(/^--/, '') ?? 'release')
if (flags.length > 1 || !Object.hasOwn(variants, variant)) {
  process.stderr.write('usage: node tooling/native/build.mjs [--debug | --sanitize | --tests]\n')
  process.exit(2)
}

let code = await buildAddon(source, variant)
if (code === 0 && variant === 'tests') {
  const folder = join(source, variants.tests.folder)
  ;({ code } = await runCommand('ctest', ['--test-dir', folder, '--output-on-failure'], { cwd: root }))
}
process.exitCode = code
