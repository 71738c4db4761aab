// @ts-check
// Tests of the native core under sanitizers: node tooling/native/sanitize.mjs [--sample]
// AddressSanitizer and UndefinedBehaviorSanitizer over the contract of the ops, random programs, the life of devices, the
// cache against its model, and the readers; ThreadSanitizer over the thread pool and the queue of the engine.
// `--sample` compiles one instruction set with little optimisation and leaves out what rarely finds anything.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../setup/command.mjs'
import { buildAddon, variants } from './build-addon.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const source = join(root, 'packages/tensor')

/** Tests as vitest chooses them, and the random cases per op. */
const plans = {
  whole: {
    variant: /** @type {const} */ ('sanitize'),
    fuzzCases: 200,
    files: ['packages/tensor/src', 'packages/cache', 'packages/io'],
  },
  sample: {
    variant: /** @type {const} */ ('sanitize-sample'),
    fuzzCases: 20,
    files: ['packages/tensor/src/native-fuzz.test.ts', 'packages/tensor/src/ops/ops.contract.test.ts'],
  },
}

/** Counts pages of this process, where the sanitizer maps pages of its own. */
const countsPages = 'packages/cache/test/freed-memory.test.ts'

/**
 * @param {string} name of a library that comes with the compiler
 * @returns {string | undefined} its path
 */
function compilerLibrary(name) {
  const { stdout } = spawnSync(process.env.CXX ?? 'g++', [`-print-file-name=${name}`], { encoding: 'utf8' })
  const path = (stdout ?? '').trim()
  return path.includes('/') && existsSync(path) ? path : undefined
}

/**
 * @param {string} label
 * @param {() => Promise<number>} work gives an exit code
 */
async function step(label, work) {
  const started = performance.now()
  const code = await work()
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(`${code === 0 ? '✓' : '✖'} ${label}, ${seconds} s\n`)
  return code
}

/** @param {keyof typeof plans} plan */
async function underAddressSanitizer(plan) {
  const { variant, fuzzCases, files } = plans[plan]
  const asan = compilerLibrary('libasan.so')
  if (!asan) {
    process.stdout.write('✖ the compiler has no libasan.so: g++ brings it\n')
    return 1
  }
  const built = await step(`compiled with AddressSanitizer and UndefinedBehaviorSanitizer`, () =>
    buildAddon(source, variant),
  )
  if (built !== 0) return built
  const env = {
    ...process.env,
    LD_PRELOAD: asan,
    // Node itself keeps memory until it exits.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1',
    TRIMKV_FUZZ_CASES: String(fuzzCases),
    UBSAN_OPTIONS: 'print_stacktrace=1',
    TRIMKV_NATIVE_PATH: join(source, variants[variant].folder, 'trimkv.node'),
  }
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--testTimeout=600000', `--exclude=${countsPages}`, ...files]
  const test = async () => (await runCommand(process.execPath, args, { cwd: root, env })).code
  return step(`${files.join(', ')} under both`, test)
}

async function underThreadSanitizer() {
  const args = [join(root, 'tooling/native/build.mjs'), '--tests']
  return step('pool and engine under ThreadSanitizer', async () => {
    const { code } = await runCommand(process.execPath, args, { cwd: root })
    return code
  })
}

const flags = process.argv.slice(2)
if (flags.some((flag) => flag !== '--sample')) {
  process.stderr.write('usage: node tooling/native/sanitize.mjs [--sample]\n')
  process.exit(2)
}
const started = performance.now()
const first = await underAddressSanitizer(flags.length > 0 ? 'sample' : 'whole')
const second = flags.length > 0 ? 0 : await underThreadSanitizer()
process.stdout.write(`${((performance.now() - started) / 1000).toFixed(0)} s in all\n`)
process.exitCode = first || second
