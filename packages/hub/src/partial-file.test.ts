import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../test/hub-server.ts'
import { PartialFile } from './partial-file.ts'

const content = randomBytes(3000)
const known = { oid: sha256(content), size: content.length }

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trimkv-partial-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const partial = (): string => join(folder, 'a.incomplete')
const blob = (): string => join(folder, 'a')
const openPartial = () => PartialFile.open(partial(), known)

describe('a writer that comes to its end', () => {
  it('leaves what another began anew, which finishes on its own', async () => {
    await using first = await openPartial()
    await first.append(content)
    await using second = await openPartial()
    await second.restart()
    await second.append(content.subarray(0, 1000))
    expect(first.isRight()).toBe(true)
    expect(await first.finish(blob())).toBe(false)
    expect(existsSync(blob())).toBe(false)
    await second.append(content.subarray(1000))
    expect(await second.finish(blob())).toBe(true)
    expect(readFileSync(blob()).equals(content)).toBe(true)
  })

  it('after another brought the same file to its place has nothing to do', async () => {
    await using first = await openPartial()
    await first.append(content.subarray(0, 1000))
    await using second = await openPartial()
    await first.append(content.subarray(1000))
    await second.append(content.subarray(1000))
    expect(await first.finish(blob())).toBe(true)
    expect(await second.finish(blob())).toBe(false)
    expect(readFileSync(blob()).equals(content)).toBe(true)
  })
})

it('what cannot be the begin of the content is begun anew', async () => {
  writeFileSync(partial(), Buffer.alloc(known.size + 1))
  await using file = await openPartial()
  expect([file.length, file.restarts]).toEqual([0, 1])
})
