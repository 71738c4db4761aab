import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hubName, modelFolder } from './hub-cache.ts'

const commit = 'c0ffee0123456789c0ffee0123456789c0ffee01'
const home = mkdtempSync(join(tmpdir(), 'trimkv-hub-'))
const root = join(home, 'hub/models--org--name')
const snapshot = join(root, 'snapshots', commit)
const env = { HF_HOME: home }
const folderOf = (model: string): Promise<string> => modelFolder(model, env)

beforeAll(() => {
  mkdirSync(join(snapshot, 'q8'), { recursive: true })
  mkdirSync(join(root, 'refs/pr'), { recursive: true })
  writeFileSync(join(root, 'refs/main'), `${commit}\n`)
  writeFileSync(join(snapshot, 'config.json'), '{}')
  writeFileSync(join(snapshot, 'q8/model.gguf'), 'GGUF')
})
afterAll(() => rmSync(home, { recursive: true }))

describe('modelFolder', () => {
  it('finds a downloaded snapshot by name and revision, and leaves everything else as it is', async () => {
    expect(await folderOf('org/name')).toBe(snapshot)
    expect(await folderOf(`org/name@${commit}`)).toBe(snapshot)
    expect(await folderOf('org/name@v2')).toBe('org/name@v2')
    expect(await folderOf('org/other')).toBe('org/other')
    expect(await folderOf('org/na--me')).toBe('org/na--me')
    expect(await folderOf(home)).toBe(home)
  })

  it('finds a file of it', async () => {
    expect(await folderOf('org/name:q8/model.gguf')).toBe(join(snapshot, 'q8/model.gguf'))
    expect(await folderOf(`org/name@${commit}:q8/model.gguf`)).toBe(join(snapshot, 'q8/model.gguf'))
    expect(await folderOf('org/name:q4/model.gguf')).toBe('org/name:q4/model.gguf')
  })

  it('goes nowhere else, whatever the name or a branch says', async () => {
    writeFileSync(join(home, 'config.json'), '{}')
    for (const revision of ['../../..', '../../../../etc/hostname', '..']) {
      await expect(folderOf(`org/name@${revision}`)).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
    }
    for (const text of ['../../..', '..', home, '']) {
      writeFileSync(join(root, 'refs/bad'), text)
      expect(await folderOf('org/name@bad')).toBe('org/name@bad')
    }
    expect(await folderOf('org/name@pr')).toBe('org/name@pr')
    expect(await folderOf('org/name:../../../config.json')).toBe('org/name:../../../config.json')
  })
})

describe('hubName', () => {
  it.each(['../models', './model', '/org/name', 'org', 'org/name/more', 'org/..', '~/model', 'org/na--me'])(
    'takes %s for a path',
    (text) => expect(hubName(text)).toBeUndefined(),
  )

  it('knows a repository and its revision', () => {
    expect(hubName('org/name')).toEqual({ repo: 'org/name', revision: 'main' })
    expect(hubName('org-1/na.me_2@refs/pr/1')).toEqual({ repo: 'org-1/na.me_2', revision: 'refs/pr/1' })
  })

  it('knows a GGUF file of one', () => {
    expect(hubName('org/name:a.Q8_0.gguf')).toEqual({
      repo: 'org/name',
      revision: 'main',
      file: 'a.Q8_0.gguf',
    })
    expect(hubName('org/name@v2:q8/a b.gguf')).toEqual({
      repo: 'org/name',
      revision: 'v2',
      file: 'q8/a b.gguf',
    })
  })

  it.each([
    '../a.gguf',
    'a/../b.gguf',
    '/a.gguf',
    './a.gguf',
    'a//b.gguf',
    '*.gguf',
    '{a,b}.gguf',
    'a\\b.gguf',
    'a.bin',
    '.gguf/',
    '',
  ])('takes no file %j of one', (file) => expect(hubName(`org/name:${file}`)).toBeUndefined())
})
