// @ts-check
import { describe, expect, it } from 'vitest'
import { checkPackaging } from './packaging.mjs'
import { samplePackage, sampleWorkspace } from './sample-workspace.mjs'

const built = {
  'packages/alpha/dist/index.js': 'export const one = 1\n',
  'packages/alpha/dist/index.d.ts': 'export declare const one: number\n',
  'packages/beta/package.json': JSON.stringify({ name: 'beta', private: true }),
}

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

  it('reports an export that would not be published', async () => {
    const files = { files: ['dist/*.js'] }
    const root = sampleWorkspace({ ...built, 'packages/alpha/package.json': samplePackage('alpha', files) })
    expect(await checkPackaging(root)).toEqual([expect.stringContaining('dist/index.d.ts')])
  })
})
