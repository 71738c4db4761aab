import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { hubName, modelFolder } from './hub-cache.ts'

const home = mkdtempSync(join(tmpdir(), 'trimkv-hub-'))
afterAll(() => rmSync(home, { recursive: true }))

describe('modelFolder', () => {
  it('finds a downloaded snapshot by name and revision, and leaves everything else as it is', () => {
    const root = join(home, 'hub/models--org--name')
    mkdirSync(join(root, 'snapshots/abc'), { recursive: true })
    mkdirSync(join(root, 'refs'))
    writeFileSync(join(root, 'refs/main'), 'abc\n')
    const env = { HF_HOME: home }
    expect(modelFolder('org/name', env)).toBe(join(root, 'snapshots/abc'))
    expect(modelFolder('org/name@abc', env)).toBe(join(root, 'snapshots/abc'))
    expect(modelFolder('org/name@v2', env)).toBe('org/name@v2')
    expect(modelFolder('org/other', env)).toBe('org/other')
    expect(modelFolder(home, env)).toBe(home)
  })
})

describe('hubName', () => {
  it.each(['../models', './model', '/org/name', 'org', 'org/name/more', 'org/..', '~/model'])(
    'takes %s for a path',
    (text) => expect(hubName(text)).toBeUndefined(),
  )

  it('knows a repository and its revision', () => {
    expect(hubName('org/name')).toEqual({ repo: 'org/name', revision: 'main' })
    expect(hubName('org-1/na.me_2@refs/pr/1')).toEqual({ repo: 'org-1/na.me_2', revision: 'refs/pr/1' })
  })
})
