import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const packages = join(dirname(fileURLToPath(import.meta.url)), '../packages')
const read = (path: string): string => readFileSync(join(packages, path), 'utf8')

// The examples themselves are run by the tests of the command line and, as they are installed, by a check.
it.each([
  ['ai-sdk', 'ai-sdk/examples/stream-text'],
  ['engine', 'trimkv/examples/prefix'],
  ['engine', 'trimkv/examples/session'],
  ['trimkv', 'trimkv/examples/compare'],
  ['trimkv', 'trimkv/examples/my-policy'],
  ['trainer', 'trimkv/examples/train-gates'],
])('the README of %s shows the example %s as it is', (name, example) => {
  const blocks = [...read(`${name}/README.md`).matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1])
  expect(blocks).toContain(read(`${example}.ts`).replace(/^(\/\/.*\n)+/, ''))
})
