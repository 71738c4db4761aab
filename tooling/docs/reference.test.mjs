// @ts-check
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { sampleWorkspace } from '../checks/sample-workspace.mjs'
import { readReference } from './reference.mjs'

const described =
  '/** The number one. See {@link two}. */\nexport const one = 1\n/** Adds. */\nexport const two = () => 2\n'
const workspace = (/** @type {string} */ source) =>
  sampleWorkspace({
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        module: 'NodeNext',
        target: 'ES2022',
        types: [],
        allowImportingTsExtensions: true,
        noEmit: true,
      },
      include: ['packages/*/src'],
    }),
    'packages/alpha/src/index.ts': source,
    'packages/beta/src/index.ts': described,
  })

it('reads what packages export, by the name that imports it, and writes it as a site', async () => {
  const root = workspace(described)
  const { problems, exported, write } = await readReference(root)
  expect({ problems, exported }).toEqual({ problems: [], exported: 4 })

  const folder = join(root, 'reference')
  await write(folder)
  expect(existsSync(join(folder, 'index.html'))).toBe(true)
  expect(readFileSync(join(folder, 'variables/alpha.one.html'), 'utf8')).toContain('The number one.')
})

it('reports exports without a docstring and links that lead nowhere', async () => {
  const { problems } = await readReference(
    workspace(`${described}export interface Three {}\n/** See {@link gone}. */\nexport type Four = 4\n`),
  )
  expect(problems).toEqual([expect.stringContaining('gone'), 'alpha: Three has no docstring'])
})
