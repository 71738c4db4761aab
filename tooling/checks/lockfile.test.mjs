// @ts-check
import { describe, expect, it } from 'vitest'
import { checkLockfile } from './lockfile.mjs'
import { sampleWorkspace } from './sample-workspace.mjs'

const lockfile = (/** @type {string} */ node, more = '') => `lockfileVersion: '9.0'

packages:

  '@scope/first@1.0.0':
    resolution: {integrity: sha512-abc==${more}}
    engines: {npm: '>=9', node: ${node}}
    hasBin: true
    deprecated: moved, see https://example.org
`

describe('checkLockfile', () => {
  it.each(["'>=18'", "'^18.0.0 || ^20.19.0 || >=22'", '20.x'])('accepts a package for Node %s', (node) => {
    expect(checkLockfile(sampleWorkspace({ 'pnpm-lock.yaml': lockfile(node) }))).toEqual([])
  })

  it.each(['>=22', '^18.0.0 || >=20.21'])('reports a package for Node %s', (node) => {
    expect(checkLockfile(sampleWorkspace({ 'pnpm-lock.yaml': lockfile(`'${node}'`) }))).toEqual([
      `pnpm-lock.yaml:7 @scope/first@1.0.0 wants Node ${node}, not 20.20.2`,
    ])
  })

  it('reports a download address', () => {
    const address = ', tarball: https://example.org/first.tgz'
    expect(checkLockfile(sampleWorkspace({ 'pnpm-lock.yaml': lockfile("'>=18'", address) }))).toEqual([
      'pnpm-lock.yaml:6 @scope/first@1.0.0 records a download address',
    ])
  })
})
