// @ts-check
// Every check of the repository, or those named on the command line: node tooling/check.mjs [name...]
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkBundle } from './checks/bundle.mjs'
import { checkCycles } from './checks/cycles.mjs'
import { checkExamples, checkLinks } from './checks/documents.mjs'
import { checkErrorCodes } from './checks/error-codes.mjs'
import { checkImports } from './checks/imports.mjs'
import { checkInstalled } from './checks/installed.mjs'
import { checkLockfile } from './checks/lockfile.mjs'
import { checkPackaging } from './checks/packaging.mjs'
import { checkSize } from './checks/size.mjs'
import { checkStructure } from './checks/structure.mjs'
import { checkWords } from './checks/words.mjs'
import { readReference } from './docs/reference.mjs'
import { runCommand } from './setup/command.mjs'

/**
 * @typedef {object} CheckResult
 * @property {readonly string[]} problems
 * @property {string} [note] printed below the check
 * @property {string} [skipped] why it could not run here
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** How many checks run at a time: the long ones each fill a core. */
const lanes = 2

/**
 * @param {string} program in node_modules/.bin
 * @param {readonly string[]} args
 * @returns {() => Promise<CheckResult>}
 */
const tool = (program, args) => async () => {
  const path = join(root, 'node_modules/.bin', program)
  const { code, output } = await runCommand(path, args, { cwd: root, capture: true })
  return { problems: code === 0 ? [] : [output.trim() || `${program} ended with ${code}`] }
}

/**
 * @param {(root: string) => readonly string[] | Promise<readonly string[]>} check
 * @returns {() => Promise<CheckResult>}
 */
const own = (check) => async () => ({ problems: await check(root) })

/** @returns {Promise<CheckResult>} */
async function runNativeTests() {
  const args = [join(root, 'tooling/native/build.mjs'), '--tests']
  const { code, output } = await runCommand(process.execPath, args, { cwd: root, capture: true })
  if (/ThreadSanitizer: unexpected memory mapping/.test(output)) {
    return { problems: [], skipped: 'this ThreadSanitizer cannot run with the address layout of this kernel' }
  }
  return { problems: code === 0 ? [] : [output.trim()] }
}

/** Inputs of every fuzz target in a run of the checks; `pnpm fuzz` does 100 000. */
const fuzzCases = 500

/** @param {string[]} args of Node */
const script =
  (...args) =>
  async () => {
    const { code, output } = await runCommand(process.execPath, args, { cwd: root, capture: true })
    return { problems: code === 0 ? [] : [output.trim()] }
  }

/** The longest first. @type {Record<string, () => Promise<CheckResult>>} */
const checks = {
  sanitizers: script(join(root, 'tooling/native/sanitize.mjs'), '--sample'),
  'native-tests': runNativeTests,
  fuzz: script(join(root, 'tooling/fuzz/fuzz.mjs'), '--cases', String(fuzzCases)),
  'typed-lint': tool('eslint', ['.', '--max-warnings', '0']),
  types: tool('tsc', ['-p', '.']),
  'tooling-types': tool('tsc', ['-p', 'tooling']),
  exports: tool('knip', ['--no-progress']),
  packaging: own(checkPackaging),
  installed: () => checkInstalled(root),
  bundle: () => checkBundle(root),
  reference: async () => {
    const { problems, exported } = await readReference(root)
    return { problems, note: `${exported} exported names` }
  },
  examples: own(checkExamples),
  format: tool('biome', ['check', '--error-on-warnings', '--diagnostic-level=warn']),
  'policy-page': tool('vitest', ['run', 'packages/cache/test/policy-page.test.ts']),
  imports: own(checkImports),
  cycles: own(checkCycles),
  structure: own(checkStructure),
  size: async () => {
    const { problems, table } = checkSize(root)
    return { problems, note: table }
  },
  'error-codes': own(checkErrorCodes),
  lockfile: own(checkLockfile),
  links: own(checkLinks),
  words: own(checkWords),
}

/** @param {string} name @returns {Promise<CheckResult>} */
async function resultOf(name) {
  const check = checks[name]
  if (!check) return { problems: [`no such check; there are ${Object.keys(checks).join(', ')}`] }
  try {
    return await check()
  } catch (error) {
    return { problems: [`the check itself broke: ${error instanceof Error ? error.stack : error}`] }
  }
}

/** @param {string} name @returns {Promise<CheckResult>} */
async function runCheck(name) {
  const started = performance.now()
  const indent = (/** @type {string} */ text) => text.replace(/^/gm, '    ')
  const result = await resultOf(name)
  const { problems, note, skipped } = result
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const mark = problems.length > 0 ? '✖' : skipped ? '–' : '✓'
  const lines = [`  ${mark} ${name} ${seconds} s`, ...problems.map(indent), ...(note ? [indent(note)] : [])]
  process.stdout.write(`${lines.join('\n')}\n`)
  return result
}

/**
 * Runs checks and prints each as it ends.
 * @param {readonly string[]} [names] all when empty
 * @returns {Promise<{ passed: number, failed: number, skipped: string[] }>} `skipped` has a line per check, with its reason
 */
export async function runChecks(names = []) {
  const waiting = names.length > 0 ? [...names] : Object.keys(checks)
  const counts = { passed: 0, failed: 0, skipped: /** @type {string[]} */ ([]) }
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const { problems, skipped } = await runCheck(name)
      if (problems.length > 0) counts.failed++
      else if (skipped) counts.skipped.push(`${name}: ${skipped}`)
      else counts.passed++
    }
  }
  await Promise.all(Array.from({ length: lanes }, work))
  return counts
}

/**
 * Prints the last line of a run, after the reason of everything that was skipped, and sets the exit code.
 * @param {{ passed: number, failed: number, skipped: readonly string[] }} counts
 */
export function conclude({ passed, failed, skipped }) {
  for (const line of skipped) process.stdout.write(`skipped: ${line}\n`)
  const tail = skipped.length > 0 ? `, ${skipped.length} skipped` : ''
  process.stdout.write(`${passed} passed, ${failed} failed${tail}\n`)
  process.exitCode = failed === 0 ? 0 : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) conclude(await runChecks(process.argv.slice(2)))
