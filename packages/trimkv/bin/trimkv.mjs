#!/usr/bin/env node
// Plain JavaScript that any Node can read: says in one line what is missing before an import can fail.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const cli = new URL('../dist/cli.js', import.meta.url)

if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`trimkv needs Node 20.19 or newer; this is ${process.versions.node}\n`)
  process.exitCode = 1
} else if (!existsSync(cli)) {
  process.stderr.write(
    `trimkv is not built: ${fileURLToPath(cli)} is missing; run \`npm run build\` in the checkout\n`,
  )
  process.exitCode = 1
} else {
  const { main } = await import(cli.href)
  process.exitCode = await main(process.argv.slice(2))
}
