// @ts-check
// The way in from a fresh clone: it installs, compiles and builds what is not up to date, then runs one command.
// It uses Node alone, because nothing is installed yet when it starts.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from './setup/command.mjs'
import { takeLock } from './setup/lock.mjs'
import { environmentWithPnpm } from './setup/pnpm.mjs'
import { missingRequirementExitCode, nodeProblem, toolchainProblem } from './setup/requirements.mjs'
import { fingerprintOfContents, fingerprintOfTimes, isUpToDate, markDone, markUndone } from './setup/step.mjs'
import { listFiles, readPackages } from './workspace.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [name = '', ...args] = process.argv.slice(2)

/** What each command runs after the setup, relative to the root; `build` is the setup alone. */
const commands = /** @type {const} */ ({
  build: undefined,
  demo: 'apps/demo/dist/index.js',
  test: 'tooling/test.mjs',
})

const isModule = (/** @type {string} */ path) => path.endsWith('.mjs')

/** @typedef {import('./setup/step.mjs').Step & { label: string, program: string, args: string[] }} SetupStep */

/** @returns {SetupStep} */
function installStep() {
  const manifests = readPackages(root).map(({ folder }) => join(folder, 'package.json'))
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'].map((name) => join(root, name))
  return {
    name: 'install',
    label: 'installing packages',
    inputs: fingerprintOfContents(root, [...files, ...manifests]),
    outputs: [
      join(root, 'node_modules', '.modules.yaml'),
      join(root, 'packages/tensor/node_modules/node-addon-api'),
    ],
    program: 'pnpm',
    args: ['install', '--frozen-lockfile', '--config.confirmModulesPurge=false'],
  }
}

/** @returns {SetupStep} */
function nativeStep() {
  const tensor = join(root, 'packages/tensor')
  const sources = listFiles(tensor, (path) => /\.(cc|h|cmake)$|CMakeLists\.txt$|package\.json$/.test(path))
  return {
    name: 'native',
    label: 'compiling the native core',
    inputs: fingerprintOfTimes(root, [...sources, ...listFiles(join(root, 'tooling/native'), isModule)]),
    outputs: [join(tensor, 'build/trimkv.node')],
    program: process.execPath,
    args: [join(root, 'tooling/native/build.mjs')],
  }
}

/** @returns {SetupStep} */
function buildStep() {
  const built = readPackages(root).filter(({ folder }) => existsSync(join(folder, 'tsup.config.ts')))
  const sources = built.flatMap(({ folder }) =>
    listFiles(folder, (path) => /\.(ts|json)$/.test(path) && !path.endsWith('.test.ts')),
  )
  const presets = ['tooling/tsup-preset.mjs', 'tooling/tsconfig/base.json', 'turbo.json'].map((name) =>
    join(root, name),
  )
  return {
    name: 'build',
    label: 'building the TypeScript packages',
    inputs: fingerprintOfTimes(root, [...sources, ...presets]),
    outputs: built.map(({ folder }) => join(folder, 'dist/index.js')),
    program: join(root, 'node_modules/.bin/turbo'),
    args: ['run', 'build', '--output-logs=errors-only'],
  }
}

/**
 * @param {string} message
 * @param {number} exitCode
 * @returns {never}
 */
function stop(message, exitCode) {
  process.stderr.write(`${message}\n`)
  // Who reads the last line of a test run finds a count there even when no test could start.
  if (name === 'test') process.stdout.write('0 passed, 1 failed\n')
  process.exit(exitCode)
}

/**
 * Runs a step with its output kept back, and shows all of it when the step fails.
 * @param {SetupStep} step
 * @param {NodeJS.ProcessEnv} env
 */
async function runStep(step, env) {
  const started = performance.now()
  const { isTTY, columns = 80 } = process.stderr
  const show = (/** @type {string} */ line) =>
    process.stderr.write(`\r\x1b[K  · ${step.label}: ${line.trim()}`.slice(0, columns))
  if (!isTTY) process.stderr.write(`  · ${step.label}\n`)
  else show('starting')
  markUndone(root, step)
  const result = await runCommand(step.program, step.args, {
    cwd: root,
    env,
    capture: true,
    ...(isTTY && { onLine: show }),
  })
  if (isTTY) process.stderr.write('\r\x1b[K')
  if (result.code !== 0) {
    const command = [step.program, ...step.args].join(' ').replaceAll(`${root}/`, '')
    stop(`${result.output}\n✖ ${step.label} failed: ${command} ended with ${result.code}`, result.code)
  }
  markDone(root, step)
  process.stderr.write(`  ✓ ${step.label} ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
}

/** @returns {NodeJS.ProcessEnv} */
function setupEnvironment() {
  try {
    return { ...environmentWithPnpm(root), TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' }
  } catch (error) {
    return stop(`✖ ${error instanceof Error ? error.message : error}`, 1)
  }
}

async function setUp() {
  const describeSteps = [installStep, nativeStep, buildStep]
  if (describeSteps.every((describe) => isUpToDate(root, describe()))) return
  if (!isUpToDate(root, nativeStep())) {
    const lacking = toolchainProblem(process.env)
    if (lacking) stop(lacking, missingRequirementExitCode)
  }
  const lock = join(
    tmpdir(),
    `trimkv-setup-${createHash('sha256').update(root).digest('hex').slice(0, 16)}.lock`,
  )
  const release = await takeLock(lock, () => process.stderr.write('  · waiting for another setup\n'))
  /** @type {NodeJS.ProcessEnv | undefined} */
  let env
  for (const describe of describeSteps) {
    const step = describe()
    if (isUpToDate(root, step)) continue
    env ??= setupEnvironment()
    await runStep(step, env)
  }
  release()
}

const problem = nodeProblem(process.versions.node)
if (problem) stop(problem, missingRequirementExitCode)
if (!Object.hasOwn(commands, name)) {
  process.stderr.write(`usage: node tooling/run.mjs <${Object.keys(commands).join(' | ')}> [arguments]\n`)
  process.exit(2)
}
await setUp()
const target = commands[/** @type {keyof typeof commands} */ (name)]
if (target) {
  const { code } = await runCommand(process.execPath, [join(root, target), ...args], { cwd: root })
  process.exitCode = code
}
