import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { hasHubToken, hubCacheDir, modelFolder } from './hub-cache.ts'

const home = mkdtempSync(join(tmpdir(), 'trimkv-hub-'))
afterAll(() => rmSync(home, { recursive: true }))

describe('hubCacheDir', () => {
  it('follows the order of the Hugging Face tools', () => {
    const env = { HF_HUB_CACHE: '/a', HUGGINGFACE_HUB_CACHE: '/b', HF_HOME: '/c', XDG_CACHE_HOME: '/d' }
    expect(hubCacheDir(env)).toBe('/a')
    expect(hubCacheDir({ ...env, HF_HUB_CACHE: '' })).toBe('/b')
    expect(hubCacheDir({ HF_HOME: '/c', XDG_CACHE_HOME: '/d' })).toBe('/c/hub')
    expect(hubCacheDir({ XDG_CACHE_HOME: '/d' })).toBe('/d/huggingface/hub')
    expect(hubCacheDir({})).toMatch(/\.cache\/huggingface\/hub$/)
  })
})

it('sees a token in the environment or in the home folder', () => {
  expect(hasHubToken({ HF_HOME: home })).toBe(false)
  expect(hasHubToken({ HF_HOME: home, HF_TOKEN: 'x' })).toBe(true)
  writeFileSync(join(home, 'token'), 'x')
  expect(hasHubToken({ HF_HOME: home })).toBe(true)
})

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
