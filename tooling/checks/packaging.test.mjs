// @ts-check
import { describe, expect, it } from 'vitest'
import { checkPackaging, fileProblems, manifestProblems } from './packaging.mjs'
import { samplePackage, sampleWorkspace } from './sample-workspace.mjs'

const built = {
  LICENSE: 'Do what you like.\n',
  'packages/alpha/dist/index.js': 'export const one = 1\n',
  'packages/alpha/dist/index.d.ts': 'export declare const one: number\n',
  'packages/beta/package.json': JSON.stringify({ name: 'beta', private: true }),
}

/** @param {Record<string, unknown>} fields of the manifest of alpha */
const withManifest = (fields) =>
  sampleWorkspace({ ...built, 'packages/alpha/package.json': samplePackage('alpha', fields) })

describe('checkPackaging', () => {
  it('accepts a package whose exports are all in it', async () => {
    expect(await checkPackaging(sampleWorkspace(built))).toEqual([])
  })

  it('reports a package that was not built', async () => {
    const root = sampleWorkspace({
      ...built,
      'packages/alpha/dist/index.js': undefined,
      'packages/alpha/dist/index.d.ts': undefined,
    })
    expect(await checkPackaging(root)).toEqual(['packages/alpha: not built, run `pnpm build` first'])
  })

  it('reports an export that is not packed', async () => {
    expect(await checkPackaging(withManifest({ files: ['dist/index.js'] }))).toEqual([
      expect.stringMatching(/^packages\/alpha: package\.json: .*dist\/index\.d\.ts/),
      'packages/alpha: there are no types',
    ])
  })

  it('reports types that cannot be resolved', async () => {
    const types = { 'packages/alpha/dist/index.d.ts': "export { one } from './one'\n" }
    expect(await checkPackaging(sampleWorkspace({ ...built, ...types }))).toEqual([
      'packages/alpha: Internal resolution error: dist/index.d.ts imports ./one',
    ])
  })

  it('reports sources that are packed', async () => {
    const root = withManifest({ files: ['dist', 'src'] })
    expect(await checkPackaging(root)).toEqual([
      'packages/alpha: src/index.ts is packed and should not be',
      'packages/alpha: src/one.ts is packed and should not be',
    ])
  })
})

it('wants the three files of every package, and of others those that it names', () => {
  const names = ['README.md', 'package.json', 'dist/index.js', 'dist/index.test.js', 'notes.md']
  expect(fileProblems(names, { files: ['dist'] })).toEqual([
    'LICENSE is not packed',
    'dist/index.test.js is packed and should not be',
    'notes.md is packed and should not be',
  ])
})

it('wants a manifest that who installs the package can use', () => {
  const manifest = {
    version: '1.0.0',
    exports: { '.': { '@trimkv/source': './src/index.ts', default: './dist/index.js' } },
    scripts: {},
    dependencies: { zod: '4.0.0', '@trimkv/io': 'workspace:*', '@trimkv/testing': '1.0.0', trimkv: '0.9.0' },
    optionalDependencies: { '@trimkv/tensor-linux-x64-gnu': '1.0.0' },
  }
  expect(manifestProblems(manifest, new Set(['@trimkv/io', 'trimkv']))).toEqual([
    expect.stringContaining('"scripts"'),
    'package.json asks for @trimkv/io as workspace:*',
    'package.json asks for @trimkv/io workspace:*, which is not published with it',
    'package.json asks for @trimkv/testing 1.0.0, which is not published with it',
    'package.json asks for trimkv 0.9.0, which is not published with it',
    'package.json exports sources, which are not packed',
  ])
})
