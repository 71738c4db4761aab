// @ts-check
import { describe, expect, it } from 'vitest'
import { checkImports } from './imports.mjs'
import { samplePackage, sampleWorkspace } from './sample-workspace.mjs'

const table = { mayImport: { alpha: [], beta: ['alpha'] }, mayImportTypesOf: {}, developmentOnly: [] }

describe('checkImports', () => {
  it('accepts packages that follow the table', () => {
    expect(checkImports(sampleWorkspace(), table)).toEqual([])
  })

  it('reports an import against the arrows, in the manifest and in the code', () => {
    const root = sampleWorkspace({
      'packages/alpha/package.json': samplePackage('alpha', { dependencies: { beta: 'workspace:*' } }),
      'packages/alpha/src/one.ts': "import { two } from 'beta'\nexport const one = two - 1\n",
    })
    expect(checkImports(root, table)).toEqual([
      'packages/alpha/package.json: alpha may not depend on beta',
      'packages/alpha/src/one.ts:1 may not import beta',
    ])
  })

  it.each([
    [
      'an undeclared package',
      "import { z } from 'zod'",
      'imports zod, which its package.json does not declare',
    ],
    [
      'a development dependency in product code',
      "import { it } from 'vitest'",
      'imports vitest, which its package.json does not declare',
    ],
    [
      'a deep import',
      "import { one } from 'alpha/src/one.ts'",
      'imports alpha/src/one.ts, which alpha does not export',
    ],
    [
      'a path out of the package',
      "import { one } from '../../alpha/src/one.ts'",
      'imports ../../alpha/src/one.ts, outside its package',
    ],
    [
      'a dynamic import',
      "export const z = await import('zod')",
      'imports zod, which its package.json does not declare',
    ],
    ['a re-export', "export { z } from 'zod'", 'imports zod, which its package.json does not declare'],
  ])('reports %s', (_, statement, problem) => {
    const root = sampleWorkspace({ 'packages/beta/src/more.ts': statement })
    expect(checkImports(root, table)).toEqual([`packages/beta/src/more.ts:1 ${problem}`])
  })

  it('lets tests use what the root installs', () => {
    expect(
      checkImports(
        sampleWorkspace({ 'packages/beta/src/two.test.ts': "import { it } from 'vitest'" }),
        table,
      ),
    ).toEqual([])
  })

  it('lets examples and tests import their own package as its users do, and nothing else', () => {
    const statement = "import { two } from 'beta'\n"
    const example = sampleWorkspace({ 'packages/beta/examples/sum.ts': statement })
    expect(checkImports(example, table)).toEqual([])
    const source = sampleWorkspace({ 'packages/beta/src/more.ts': statement })
    expect(checkImports(source, table)).toEqual([
      'packages/beta/src/more.ts:1 imports beta, which its package.json does not declare',
    ])
  })

  it('lets a package import types alone where the table says so', () => {
    const typesOnly = { ...table, mayImport: { alpha: [], beta: [] }, mayImportTypesOf: { beta: ['alpha'] } }
    const root = sampleWorkspace({ 'packages/beta/src/more.ts': "import type { one } from 'alpha'" })
    expect(checkImports(root, typesOnly)).toEqual([
      'packages/beta/src/index.ts:1 may import only types of alpha: write `import type`',
    ])
  })

  it('keeps packages made for tests out of product code', () => {
    const development = { ...table, mayImport: { alpha: [], beta: [] }, developmentOnly: ['alpha'] }
    const root = sampleWorkspace({
      'packages/beta/package.json': samplePackage('beta', { devDependencies: { alpha: 'workspace:*' } }),
      'packages/beta/src/index.ts': '',
      'packages/beta/src/two.test.ts': "import { one } from 'alpha'",
    })
    expect(checkImports(root, development)).toEqual([])
    const misused = sampleWorkspace()
    expect(checkImports(misused, development)).toEqual([
      'packages/beta/package.json: beta may not depend on alpha',
      'packages/beta/src/index.ts:1 imports alpha, which is for tests and configs only',
    ])
  })

  it('wants a row for each package and a package for each row', () => {
    const stale = { ...table, mayImport: { alpha: [], gamma: [] } }
    expect(checkImports(sampleWorkspace(), stale)).toEqual([
      'tooling/checks/imports.json: gamma is not in the workspace',
      'packages/beta: add beta to tooling/checks/imports.json with what it may import',
    ])
  })
})
