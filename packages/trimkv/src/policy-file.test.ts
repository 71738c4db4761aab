import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { policies } from '@trimkv/cache'
import { afterAll, describe, expect, it } from 'vitest'
import { loadPolicyFile, readPolicy, splitPolicies } from './policy-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-policy-'))
afterAll(() => rmSync(folder, { recursive: true }))

const policyText = (name: string) =>
  `{ name: '${name}', source: 'test', phases: ['decode'], options: { keep: { type: 'int', default: 1, doc: '' } }, parts: () => ({}) }`

function write(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

describe('loadPolicyFile', () => {
  it('takes the default export, or the one named export that is a policy', async () => {
    const byDefault = write(
      'default.ts',
      `const p: object = ${policyText('a')}\nexport default p\nexport const other = ${policyText('b')}`,
    )
    expect((await loadPolicyFile(byDefault)).name).toBe('a')
    const named = write('named.mjs', `export const limit = 3\nexport const mine = ${policyText('c')}`)
    expect((await loadPolicyFile(named)).name).toBe('c')
  })

  it.each([
    ['none.ts', 'export const x: number = 1', /exports no policy[\s\S]*exports are x/],
    [
      'two.ts',
      `export const a = ${policyText('a')}\nexport const b = ${policyText('b')}`,
      /exports 2 policies/,
    ],
    ['broken.ts', 'export const = 1', /cannot be loaded/],
    ['throws.ts', "throw new Error('boom')", /boom/],
  ])('refuses %s', async (name, text, message) => {
    const loaded = loadPolicyFile(write(name, text))
    await expect(loaded).rejects.toMatchObject({
      code: 'TRIMKV_POLICY_CONTRACT',
      message: expect.stringMatching(message),
    })
  })

  it('says when there is no such file', async () => {
    await expect(loadPolicyFile(join(folder, 'nowhere.ts'))).rejects.toMatchObject({
      code: 'TRIMKV_NOT_FOUND',
    })
  })
})

describe('readPolicy', () => {
  it('reads names and paths, with and without options', async () => {
    const path = write('mine.ts', `export const mine = ${policyText('mine')}`)
    expect(await readPolicy('snapkv:window=8')).toMatchObject({
      policy: policies.snapkv,
      options: { window: 8 },
    })
    expect(await readPolicy(path)).toMatchObject({ name: 'mine' })
    expect(await readPolicy(`${path}:keep=4`)).toMatchObject({ name: 'mine', options: { keep: 4 } })
    await expect(readPolicy(`${path}:kep=4`)).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
  })
})

it('splitPolicies keeps options with their policy', () => {
  expect(splitPolicies('full, snapkv:window=8,kernel=7,./mine.ts:a=1,b=2,trimkv')).toEqual([
    'full',
    'snapkv:window=8,kernel=7',
    './mine.ts:a=1,b=2',
    'trimkv',
  ])
})
