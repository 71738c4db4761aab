/** Downloads `org/name` from the endpoint that is its first argument into the cache that is its second. */
import { downloadModel } from '../src/index.ts'

const [endpoint = '', cacheDir = ''] = process.argv.slice(2)
const { dir, files } = await downloadModel('org/name', {
  endpoint,
  cacheDir,
  patience: { delayMs: 20 },
  onProgress: ({ file, doneBytes }) => process.stderr.write(`${file} ${doneBytes}\n`),
})
process.stdout.write(JSON.stringify({ dir, files }))
