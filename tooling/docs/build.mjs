// @ts-check
// Writes the API reference: node tooling/docs/build.mjs [folder]
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readReference } from './reference.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const folder = resolve(process.argv[2] ?? join(root, 'build/reference'))
const { problems, write } = await readReference(root)
for (const problem of problems) process.stderr.write(`✖ ${problem}\n`)
await write(folder)
process.stdout.write(`${relative(process.cwd(), join(folder, 'index.html'))}\n`)
process.exitCode = problems.length > 0 ? 1 : 0
