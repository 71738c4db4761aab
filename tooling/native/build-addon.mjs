// @ts-check
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { runCommand } from '../setup/command.mjs'

/** Each variant has its own folder, so that they stay beside each other. */
export const variants = {
  release: { folder: 'build', settings: ['-DCMAKE_BUILD_TYPE=Release'] },
  debug: { folder: 'build-debug', settings: ['-DCMAKE_BUILD_TYPE=Debug'] },
  sanitize: { folder: 'build-asan', settings: ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DTRIMKV_SANITIZE=ON'] },
  // Quick to build: little optimisation, one instruction set.
  'sanitize-sample': {
    folder: 'build-asan-sample',
    settings: [
      '-DCMAKE_BUILD_TYPE=None',
      '-DCMAKE_CXX_FLAGS=-O1',
      '-DTRIMKV_SANITIZE=ON',
      '-DTRIMKV_ONE_ISA=ON',
    ],
  },
  tests: { folder: 'build-tsan', settings: ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DTRIMKV_TESTS=ON'] },
}

/**
 * Configures and compiles the addon. A build that fails, or was cut short before, leaves no `trimkv.node`.
 * @param {string} source folder of CMakeLists.txt, with the two header packages in its node_modules
 * @param {keyof typeof variants} variant
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} exit code
 */
export async function buildAddon(source, variant, env = process.env) {
  const { folder, settings } = variants[variant]
  const output = join(source, folder)
  const addon = join(output, 'trimkv.node')
  const unfinished = join(output, '.unfinished')
  dropForeignConfiguration(source, output)
  if (existsSync(unfinished)) rmSync(addon, { force: true })
  mkdirSync(output, { recursive: true })
  writeFileSync(unfinished, '')

  const configure = ['-S', source, '-B', output, ...generatorSettings(output, env), ...settings]
  const compile = ['--build', output, '--parallel', String(availableParallelism())]
  let { code } = await runCommand('cmake', [...configure, ...headerSettings(source)], { cwd: source, env })
  if (code === 0) ({ code } = await runCommand('cmake', compile, { cwd: source, env }))
  // An addon that does not match the sources is worse than none.
  if (code !== 0) rmSync(addon, { force: true })
  rmSync(unfinished)
  return code
}

/**
 * A build folder that was configured for another checkout, or for a build tool that is gone, cannot be reused.
 * @param {string} source
 * @param {string} output
 */
function dropForeignConfiguration(source, output) {
  const cache = join(output, 'CMakeCache.txt')
  if (!existsSync(cache)) return
  const text = readFileSync(cache, 'utf8')
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(text)?.[1]
  const tool = /^CMAKE_MAKE_PROGRAM:[A-Z]+=(.*)$/m.exec(text)?.[1]
  if (home !== source || !tool || !existsSync(tool)) rmSync(output, { recursive: true, force: true })
}

/**
 * Ninja when it is there, CMake's own choice (make) otherwise; a configured folder keeps what it has.
 * @param {string} output
 * @param {NodeJS.ProcessEnv} env
 */
function generatorSettings(output, env) {
  if (existsSync(join(output, 'CMakeCache.txt'))) return []
  const hasNinja = spawnSync('ninja', ['--version'], { stdio: 'ignore', env }).status === 0
  return hasNinja ? ['-G', 'Ninja'] : []
}

/** @param {string} source */
function headerSettings(source) {
  const require = createRequire(join(source, 'package.json'))
  return [
    `-DNODE_API_HEADERS_DIR=${require('node-api-headers').include_dir}`,
    `-DNODE_ADDON_API_DIR=${dirname(require.resolve('node-addon-api/package.json'))}`,
  ]
}
