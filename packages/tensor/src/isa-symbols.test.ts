import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const build = fileURLToPath(new URL('../build', import.meta.url))
const hasNm = spawnSync('nm', ['--version']).status === 0
const folders = ['avx2', 'avx512'].map((isa) => join(build, 'CMakeFiles', `kernels-${isa}.dir`))
const missing = folders.find((folder) => !existsSync(folder))

function objects(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.o')).map((name) => join(folder, name))
}

// A shared inline function would be kept once by the linker, perhaps in its AVX-512 form for a baseline caller.
describe.skipIf(!hasNm || missing !== undefined)(
  `kernel objects${missing ? ` (not built: ${missing})` : ''}`,
  () => {
    it.each(folders)('define no symbol that the linker could share: %s', (folder) => {
      const files = objects(folder)
      expect(files.length).toBeGreaterThan(0)
      const { stdout } = spawnSync('nm', ['--defined-only', '--extern-only', '--demangle', '-A', ...files], {
        encoding: 'utf8',
      })
      expect(stdout.split('\n').filter((line) => line !== '')).toEqual([])
    })
  },
)
