import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { hasHubToken, hubCacheDir, hubEndpoint, hubToken, isHubOffline } from './hub-settings.ts'

const home = mkdtempSync(join(tmpdir(), 'trimkv-hub-home-'))
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

it('takes the token of the environment before that of the file', () => {
  writeFileSync(join(home, 'token'), ' of-the-file\n')
  expect(hubToken({ HF_HOME: home, HF_TOKEN: 'given' })).toBe('given')
  expect(hubToken({ HF_HOME: home, HF_TOKEN: '' })).toBe('of-the-file')
  expect(hubToken({ HF_HOME: join(home, 'none') })).toBeUndefined()
})

it('asks a mirror, or nobody', () => {
  expect(hubEndpoint({})).toBe('https://huggingface.co')
  expect(hubEndpoint({ HF_ENDPOINT: 'https://mirror.example' })).toBe('https://mirror.example')
  for (const value of ['1', 'true', 'ON', 'Yes']) expect(isHubOffline({ HF_HUB_OFFLINE: value })).toBe(true)
  expect(isHubOffline({ TRANSFORMERS_OFFLINE: '1' })).toBe(true)
  for (const value of ['', '0', 'false']) expect(isHubOffline({ HF_HUB_OFFLINE: value })).toBe(false)
})
