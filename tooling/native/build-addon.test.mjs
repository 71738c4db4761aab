// @ts-check
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { buildAddon } from './build-addon.mjs'

/** @param {string} path @param {string} text */
function write(path, text) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

/**
 * A source folder, and a cmake that records its arguments, writes an addon when it builds, and then ends with `code`.
 * @param {number} code
 */
function sampleSource(code) {
  const source = realpathSync(mkdtempSync(join(tmpdir(), 'trimkv-native-')))
  onTestFinished(() => rmSync(source, { recursive: true, force: true }))
  write(join(source, 'package.json'), '{}')
  write(join(source, 'node_modules/node-api-headers/index.js'), "exports.include_dir = 'api-headers'")
  write(join(source, 'node_modules/node-addon-api/package.json'), '{}')
  const cmake = join(source, 'bin/cmake')
  const script = `#!/bin/sh
echo "$@" >> "${source}/calls"
if [ "$1" = --build ]; then echo new > "$2/trimkv.node"; exit ${code}; fi
`
  write(cmake, script)
  chmodSync(cmake, 0o755)
  const addon = join(source, 'build/trimkv.node')
  const build = (/** @type {'release' | 'sanitize'} */ variant) =>
    buildAddon(source, variant, { PATH: dirname(cmake) })
  return { source, addon, build, calls: () => readFileSync(join(source, 'calls'), 'utf8') }
}

describe('buildAddon', () => {
  it('configures with both header packages, then compiles', async () => {
    const { source, addon, build, calls } = sampleSource(0)
    expect(await build('release')).toBe(0)
    expect(existsSync(addon)).toBe(true)
    const [configure, compile] = calls().split('\n')
    expect(configure).toBe(
      `-S ${source} -B ${source}/build -DCMAKE_BUILD_TYPE=Release -DNODE_API_HEADERS_DIR=api-headers ` +
        `-DNODE_ADDON_API_DIR=${source}/node_modules/node-addon-api`,
    )
    expect(compile).toMatch(new RegExp(`^--build ${source}/build --parallel \\d+$`))
  })

  it('builds with sanitizers in a folder of its own', async () => {
    const { source, build, calls } = sampleSource(0)
    expect(await build('sanitize')).toBe(0)
    expect(calls()).toContain(`-B ${source}/build-asan`)
    expect(calls()).toContain('-DTRIMKV_SANITIZE=ON')
  })

  it('leaves no addon when the build fails, not even the one from before', async () => {
    const { addon, build } = sampleSource(3)
    write(addon, 'old')
    expect(await build('release')).toBe(3)
    expect(existsSync(addon)).toBe(false)
  })

  it('does not trust an addon from a build that was cut short', async () => {
    const { source, addon, build, calls } = sampleSource(0)
    write(addon, 'half')
    write(join(source, 'build/.unfinished'), '')
    expect(await build('release')).toBe(0)
    expect(readFileSync(addon, 'utf8')).toBe('new\n')
    expect(existsSync(join(source, 'build/.unfinished'))).toBe(false)
    expect(calls()).toContain('--build')
  })

  it('starts afresh in a folder that was configured for another checkout', async () => {
    const { source, build } = sampleSource(0)
    const leftover = join(source, 'build/leftover.o')
    write(leftover, '')
    write(join(source, 'build/CMakeCache.txt'), 'CMAKE_HOME_DIRECTORY:INTERNAL=/elsewhere\n')
    expect(await build('release')).toBe(0)
    expect(existsSync(leftover)).toBe(false)
  })
})
