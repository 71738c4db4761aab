import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { type FileContent, writeAtomically } from './atomic-write.ts'
import { jsonText, modelFilesIn, writeFolder, writeModelFolder } from './write-folder.ts'

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

describe('writeModelFolder', () => {
  const old = {
    'config.json': jsonText({ model: 1 }),
    'model.safetensors.index.json': '{}',
    'model-00001-of-00002.safetensors': 'one',
    'model-00002-of-00002.safetensors': 'one',
    'tokenizer.json': 'of one',
    'chat_template.jinja': 'of one',
    'generation_config.json': '{}',
  }
  const mine = { 'notes.md': 'mine', 'retention_gates.safetensors': 'mine', 'adapter.safetensors': 'mine' }
  const files = { 'model.safetensors': 'two', 'tokenizer.json': 'of two' }

  it('leaves nothing of another model, and what no model has', async () => {
    const dir = folder.folder({ ...old, ...mine })
    mkdirSync(join(dir, 'merges.txt'))
    expect(await modelFilesIn(dir)).toEqual(Object.keys(old).sort())
    const paths = await writeModelFolder(dir, { model: 2 }, files)
    expect(paths).toEqual([...Object.keys(files), 'config.json'].map((name) => join(dir, name)))
    rmdirSync(join(dir, 'merges.txt'))
    expect(contentOf(dir)).toEqual({ ...mine, ...files, 'config.json': jsonText({ model: 2 }) })
    expect(await modelFilesIn(join(dir, 'none'))).toEqual([])
  })

  it('takes gates of the folder for those of another model where the new one says it has some', async () => {
    const dir = folder.folder({ ...old, ...mine })
    const config = { retention_gate: 'rg' }
    await writeModelFolder(dir, config, { ...files, 'trimkv_weights.pth': 'two' })
    const { 'retention_gates.safetensors': _, ...others } = mine
    const own = { 'trimkv_weights.pth': 'two', 'config.json': jsonText(config) }
    expect(contentOf(dir)).toEqual({ ...others, ...files, ...own })
  })

  it('changes nothing before the last file is whole', async () => {
    const dir = folder.folder(old)
    function* broken() {
      yield Buffer.from('half')
      fail('TRIMKV_UNSUPPORTED', 'no more')
    }
    const cut = () => writeModelFolder(dir, { model: 2 }, { ...files, notes: broken() })
    await expectTrimError(cut, 'TRIMKV_UNSUPPORTED', /no more/)
    expect(contentOf(dir)).toEqual(old)
  })

  it('leaves no configuration beside files of two models', async () => {
    const dir = folder.folder(old)
    mkdirSync(join(dir, 'notes'))
    const half = () => writeModelFolder(dir, { model: 1 }, { ...files, notes: 'of two' })
    await expectTrimError(half, 'TRIMKV_IO', /notes cannot be written/)
    expect(await modelFilesIn(dir)).toEqual(Object.keys(files).sort())
    rmdirSync(join(dir, 'notes'))
    await half()
    expect(contentOf(dir)).toEqual({ ...files, notes: 'of two', 'config.json': jsonText({ model: 1 }) })
  })
})

describe('two writers of one folder', () => {
  const write = (dir: string, model: number, weights: FileContent) =>
    writeFolder(dir, { model }, { weights, notes: `of ${model}` })

  it('do not mix: the second is refused while the first writes', async () => {
    const dir = folder.folder({})
    async function* weights() {
      yield Buffer.from('one')
      await expectTrimError(() => write(dir, 2, 'two'), 'TRIMKV_LOCKED', /process \d+ writes .* there/)
    }
    await write(dir, 1, weights())
    expect(contentOf(dir)).toEqual({ 'config.json': jsonText({ model: 1 }), weights: 'one', notes: 'of 1' })
  })

  it('do not mix when they begin together', async () => {
    const dir = folder.folder({})
    const outcomes = await Promise.allSettled([1, 2, 3].map((model) => write(dir, model, `${model}`)))
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'TRIMKV_LOCKED' })
    }
    const found = contentOf(dir)
    if (outcomes.every(({ status }) => status === 'rejected')) expect(found).toEqual({})
    else expect(found['config.json']).toBe(jsonText({ model: Number(found.weights) }))
    await write(dir, 4, '4')
    expect(contentOf(dir)).toEqual({ 'config.json': jsonText({ model: 4 }), weights: '4', notes: 'of 4' })
  })

  it('may write files beside it that are none of a model', async () => {
    const dir = folder.folder({})
    async function* session() {
      await write(dir, 1, 'one')
      yield Buffer.from('session')
    }
    await writeAtomically(join(dir, 'chat.session'), session())
    expect(Object.keys(contentOf(dir)).sort()).toEqual(['chat.session', 'config.json', 'notes', 'weights'])
  })
})
