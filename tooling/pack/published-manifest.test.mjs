// @ts-check
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { glibcOf } from './platform-package.mjs'
import { platformPackageName, publishedManifest, targets } from './published-manifest.mjs'

const manifest = {
  name: '@trimkv/io',
  version: '1.2.3',
  exports: {
    '.': { '@trimkv/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
  },
  dependencies: { zod: '4.0.0' },
  devDependencies: { vitest: '4.0.0' },
  scripts: { build: 'tsup' },
}

it('publishes what is of use outside of the workspace', () => {
  expect(publishedManifest(manifest)).toEqual({
    name: '@trimkv/io',
    version: '1.2.3',
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
    dependencies: { zod: '4.0.0' },
  })
})

it('gives the tensor package every platform package in its own version', () => {
  const { optionalDependencies } = publishedManifest({ ...manifest, name: '@trimkv/tensor' })
  expect(optionalDependencies).toEqual({ '@trimkv/tensor-linux-x64-gnu': '1.2.3' })
})

it('has the targets that the loader knows', () => {
  const loader = readFileSync(new URL('../../packages/tensor/src/native.ts', import.meta.url), 'utf8')
  const loaded = [...loader.matchAll(/case '([\w-]+)':\n\s+return require\('([^']+)'\)/g)]
  expect(loaded.map(([, system, name]) => [system, name])).toEqual(
    targets.map((target) => [`${target.os}-${target.cpu}`, platformPackageName(target)]),
  )
})

it('finds the newest glibc that symbols ask for, by number', () => {
  const symbols = `
0000000000000000      DF *UND*	0000000000000000 (GLIBC_2.2.5) memcpy
0000000000000000      DF *UND*	0000000000000000 (GLIBC_2.17) clock_gettime
0000000000000000      DF *UND*	0000000000000000 (GLIBC_2.4) __stack_chk_fail
0000000000000000      DF *UND*	0000000000000000 (GLIBCXX_3.4.30) none`
  expect(glibcOf(symbols)).toBe('2.17')
  expect(() => glibcOf('')).toThrow('no symbol of glibc')
})
