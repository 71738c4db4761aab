import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { tasks } from '../src/index.ts'

const rows = readFileSync(new URL('../README.md', import.meta.url), 'utf8').split('\n')
const rowOf = (name: string): string => rows.find((line) => line.startsWith(`| \`${name}\` `)) ?? ''

it.each(Object.entries(tasks))('the README has a row for %s, with its options', (name, task) => {
  const family = /the options of `([\w-]+)`/.exec(rowOf(name))?.[1]
  const row = rowOf(family ?? name)
  for (const option of Object.keys(task().options)) {
    // These two are common to all tasks and have a section of their own.
    if (option !== 'length' && option !== 'setting') expect(row).toContain(`\`${option}\``)
  }
})
