import { readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { families } from './families.ts'

it('lists every family file of the package', () => {
  const shared = ['families.ts', 'index.ts', 'model-shape.ts']
  const files = readdirSync(import.meta.dirname).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  )
  const familyFiles = files.filter((name) => !shared.includes(name)).map((name) => name.replace(/\.ts$/, ''))
  expect(Object.keys(families).sort()).toEqual(familyFiles.sort())
})
