import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { jsonText, writeFolder } from './write-folder.ts'

const folder = useTemporaryFolder()

const contentOf = (dir: string): Record<string, string> =>
  Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'utf8')]))

const one = { 'config.json': jsonText({ model: 1 }), notes: 'of one', weights: 'one' }
const two = { 'config.json': jsonText({ model: 2 }), notes: 'of two', weights: 'two' }

describe('writeFolder', () => {
  it('makes a folder, and replaces what one holds', async () => {
    const dir = folder.path('made')
    const paths = await writeFolder(dir, { model: 1 }, { weights: 'one', notes: 'of one' })
    expect(paths).toEqual(['weights', 'notes', 'config.json'].map((name) => join(dir, name)))
    expect(contentOf(dir)).toEqual(one)
    await writeFolder(dir, { model: 2 }, { weights: [Buffer.from('two')], notes: Buffer.from('of two') })
    expect(contentOf(dir)).toEqual(two)
  })

  it('changes nothing before the last file is whole', async () => {
    const dir = folder.folder(one)
    const seen: Record<string, string>[] = []
    function* notes() {
      seen.push(contentOf(dir))
      yield Buffer.from('of two')
    }
    await writeFolder(dir, { model: 2 }, { weights: 'two', notes: notes() })
    expect(seen).toEqual([expect.objectContaining(one)])
    expect(contentOf(dir)).toEqual(two)
    function* broken() {
      yield Buffer.from('half')
      fail('TRIMKV_UNSUPPORTED', 'no more')
    }
    const cut = () => writeFolder(dir, { model: 1 }, { weights: 'one', notes: broken() })
    await expectTrimError(cut, 'TRIMKV_UNSUPPORTED', /no more/)
    expect(contentOf(dir)).toEqual(two)
  })

  it('leaves no configuration beside files of two models', async () => {
    const dir = folder.folder({ 'config.json': one['config.json'], weights: 'one' })
    mkdirSync(join(dir, 'notes'))
    const half = () => writeFolder(dir, { model: 2 }, { weights: 'two', notes: 'of two' })
    await expectTrimError(half, 'TRIMKV_IO', /notes cannot be written/)
    expect(readdirSync(dir).sort()).toEqual(['notes', 'weights'])
    rmdirSync(join(dir, 'notes'))
    await half()
    expect(contentOf(dir)).toEqual(two)
  })

  it('leaves files alone that stand there already', async () => {
    const dir = folder.folder(one)
    const inodes = () => ['config.json', 'notes', 'weights'].map((name) => statSync(join(dir, name)).ino)
    const before = inodes()
    await writeFolder(dir, { model: 1 }, { weights: [Buffer.from('new')], notes: 'of one' })
    expect(inodes().map((inode, i) => inode === before[i])).toEqual([true, true, false])
    expect(contentOf(dir)).toEqual({ ...one, weights: 'new' })
  })
})
