/**
 * Downloads `org/name` from the endpoint that is its first argument into the cache that is its second. A third, n, kills it
 * just before it changes names in the cache for the n-th time; a fourth, `copies`, lets no link be made.
 */
import files from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { downloadModel } from '../src/index.ts'

const [endpoint = '', cacheDir = '', killAt = '', copies] = process.argv.slice(2)

let changes = 0
for (const name of ['rename', 'symlink', 'copyFile', 'writeFile'] as const) {
  const real = files[name] as (...given: unknown[]) => Promise<void>
  const counted = async (...given: unknown[]): Promise<void> => {
    changes++
    if (changes === Number(killAt)) process.kill(process.pid, 'SIGKILL')
    if (name === 'symlink' && copies) throw Object.assign(new Error('no privilege'), { code: 'EPERM' })
    return real(...given)
  }
  Object.assign(files, { [name]: counted })
}
syncBuiltinESMExports()

const { dir, files: names } = await downloadModel('org/name', {
  endpoint,
  cacheDir,
  patience: { delayMs: 20 },
  onProgress: ({ file, doneBytes }) => process.stderr.write(`${file} ${doneBytes}\n`),
})
process.stdout.write(JSON.stringify({ dir, files: names }))
