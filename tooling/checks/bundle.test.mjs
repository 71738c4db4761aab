// @ts-check
import { describe, expect, it } from 'vitest'
import { checkBundle } from './bundle.mjs'
import { samplePackage, sampleWorkspace } from './sample-workspace.mjs'

const exported = { '.': './dist/index.js' }
const cache = {
  'packages/cache/package.json': samplePackage('@trimkv/cache', { exports: exported }),
  'packages/cache/dist/index.js': `
import { join } from 'node:path'
export const short = join('a', 'b')
export const other = '${Array.from({ length: 500 }, (_, i) => i * i).join()}'
`,
}

describe('checkBundle', () => {
  it('tells the size of all that is exported', async () => {
    const { problems, note } = await checkBundle(sampleWorkspace(cache))
    expect(problems).toEqual([])
    expect(note).toMatch(/^@trimkv\/cache: 1\.\d kB gzip of 30\.0$/)
  })

  it('reports a bundle past the limit', async () => {
    const { problems } = await checkBundle(sampleWorkspace(cache), 50)
    expect(problems).toEqual([expect.stringMatching(/^too large: @trimkv\/cache: 1\.\d kB gzip of 0\.1/)])
  })

  it('wants a build', async () => {
    const { problems } = await checkBundle(sampleWorkspace({ 'packages/cache/package.json': '{}' }))
    expect(problems).toEqual(['packages/cache: not built, run `pnpm build` first'])
  })
})
