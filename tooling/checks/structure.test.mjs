// @ts-check
import { describe, expect, it } from 'vitest'
import { samplePackage, sampleWorkspace } from './sample-workspace.mjs'
import { checkStructure } from './structure.mjs'

const op = {
  'packages/tensor/package.json': samplePackage('tensor'),
  'packages/tensor/README.md': '',
  'packages/tensor/tsconfig.json': '',
  'packages/tensor/tsup.config.ts': '',
  'packages/tensor/src/index.ts': '',
  'packages/tensor/src/ops/index.ts': "import { add } from './add/add.ts'\n",
  'packages/tensor/src/ops/cases.ts': "import { addCases } from './add/add.cases.ts'\n",
  'packages/tensor/src/ops/add/add.ts': '',
  'packages/tensor/src/ops/add/add.ref.ts': '',
  'packages/tensor/src/ops/add/add.cases.ts': '',
}

const policies = {
  'packages/cache/package.json': samplePackage('cache'),
  'packages/cache/README.md': '',
  'packages/cache/tsconfig.json': '',
  'packages/cache/tsup.config.ts': '',
  'packages/cache/src/index.ts': '',
  'packages/cache/src/policies/index.ts': "import { full } from './full.ts'\n",
  'packages/cache/src/policies/full.ts': '',
  'packages/cache/src/policies/full.test.ts': '',
}

describe('checkStructure', () => {
  it('accepts packages of the usual shape', () => {
    expect(checkStructure(sampleWorkspace({ ...op, ...policies }))).toEqual([])
  })

  it.each([
    ['a missing field', { files: undefined }, '"files" is missing'],
    ['another licence', { license: 'MIT' }, '"license" must be "Apache-2.0"'],
    ['CommonJS', { type: 'commonjs' }, '"type" must be "module"'],
    [
      'exports without the source condition',
      { exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } } },
      'exports["."] must have "@trimkv/source", "types" and "default", in this order',
    ],
  ])('reports %s in package.json', (_, fields, problem) => {
    const root = sampleWorkspace({ 'packages/alpha/package.json': samplePackage('alpha', fields) })
    expect(checkStructure(root)).toEqual([`packages/alpha/package.json: ${problem}`])
  })

  it('reports a missing file', () => {
    const root = sampleWorkspace({ 'packages/alpha/src/index.ts': undefined })
    expect(checkStructure(root)).toEqual(['packages/alpha/src/index.ts is missing'])
  })

  it('reports an index that exports everything', () => {
    const root = sampleWorkspace({ 'packages/alpha/src/index.ts': "export * from './one.ts'\n" })
    expect(checkStructure(root)).toEqual([
      'packages/alpha/src/index.ts: name each export, `export *` hides what is public',
    ])
  })

  it.each([
    ['camelCase.ts', 'file names are kebab-case'],
    ['string-utils.ts', '"utils" says nothing, name what the file holds'],
    ['helpers.test.ts', '"helpers" says nothing, name what the file holds'],
  ])('reports the file name %s', (name, problem) => {
    const root = sampleWorkspace({ [`packages/alpha/src/${name}`]: '' })
    expect(checkStructure(root)).toEqual([`packages/alpha/src/${name}: ${problem}`])
  })

  it('reports an op without a reference and one that is not listed', () => {
    const root = sampleWorkspace({
      ...op,
      'packages/tensor/src/ops/add/add.ref.ts': undefined,
      'packages/tensor/src/ops/index.ts': '',
      'packages/tensor/src/ops/cases.ts': '',
    })
    expect(checkStructure(root)).toEqual([
      'packages/tensor/src/ops/add/add.ref.ts is missing',
      'packages/tensor/src/ops/index.ts does not list add',
      'packages/tensor/src/ops/cases.ts does not list add',
    ])
  })

  it('reports a policy that is not listed', () => {
    const root = sampleWorkspace({ ...policies, 'packages/cache/src/policies/sliding.ts': '' })
    expect(checkStructure(root)).toEqual(['packages/cache/src/policies/index.ts does not list sliding.ts'])
  })
})
