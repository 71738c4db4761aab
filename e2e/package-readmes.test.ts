import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const packages = join(dirname(fileURLToPath(import.meta.url)), '../packages')
const read = (path: string): string => readFileSync(join(packages, path), 'utf8')

// The examples themselves are run by the tests of the command line.
it.each([
  ['engine', 'session'],
  ['trimkv', 'compare'],
  ['trainer', 'train-gates'],
])('the README of %s shows the example %s as it is', (name, example) => {
  const [block] = [...read(`${name}/README.md`).matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1])
  expect(block).toBe(read(`trimkv/examples/${example}.ts`).replace(/^(\/\/.*\n)+/, ''))
})
