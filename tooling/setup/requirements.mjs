// @ts-check
import { spawnSync } from 'node:child_process'

/** Exit code of a start that found the machine lacking something. */
export const missingRequirementExitCode = 5

const minimumNode = [20, 19]
const minimumCMake = [3, 20]

/**
 * Runs `program --version`.
 * @param {string} program
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | undefined} what it printed, or undefined when it cannot be run
 */
function versionOf(program, env) {
  const result = spawnSync(program, ['--version'], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return result.status === 0 ? result.stdout : undefined
}

/**
 * @param {string} text
 * @param {readonly number[]} minimum
 */
function isAtLeast(text, minimum) {
  const [, major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(text) ?? []).map(Number)
  const [wantedMajor = 0, wantedMinor = 0] = minimum
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

/**
 * @param {string} version as in `process.versions.node`
 * @returns {string | undefined} one line that says what to do, or undefined when the version is fine
 */
export function nodeProblem(version) {
  if (isAtLeast(version, minimumNode)) return undefined
  return `✖ TRIM-KV needs Node.js ${minimumNode.join('.')} or newer and this is ${version}: install a newer one from https://nodejs.org`
}

/**
 * Looks for what the native build needs. A compiler is taken from CXX when that is set, as CMake does.
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | undefined} one message that names the packages to install, or undefined when all is there
 */
export function toolchainProblem(env) {
  const compilers = env.CXX ? [env.CXX] : ['g++', 'c++', 'clang++']
  const cmake = versionOf('cmake', env)
  const missing = []
  if (!compilers.some((program) => versionOf(program, env) !== undefined)) {
    missing.push(`a C++ compiler (looked for ${compilers.join(', ')})`)
  }
  if (cmake === undefined) missing.push(`CMake ${minimumCMake.join('.')} or newer`)
  else if (!isAtLeast(cmake, minimumCMake)) {
    missing.push(`CMake ${minimumCMake.join('.')} or newer (found ${/[\d.]+/.exec(cmake)?.[0]})`)
  }
  if (!['ninja', 'make'].some((program) => versionOf(program, env) !== undefined))
    missing.push('make or ninja')
  if (missing.length === 0) return undefined
  const list = new Intl.ListFormat('en').format(missing)
  return [
    `✖ TRIM-KV compiles its native core from source, and this machine lacks ${list}`,
    '  Debian, Ubuntu  sudo apt-get install g++ cmake make',
    '  Fedora          sudo dnf install gcc-c++ cmake make',
    '  macOS           xcode-select --install && brew install cmake',
    '  → install these, then run the same command again',
  ].join('\n')
}
