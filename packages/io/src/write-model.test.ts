import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { readModelConfig } from './model-config.ts'
import { readTensorData } from './read-tensor.ts'
import { openCheckpoint } from './safetensors.ts'
import { loadTokenizer } from './tokenizer.ts'
import { writeModel } from './write-model.ts'

const folder = useTemporaryFolder()
const config = JSON.parse(readFileSync(goldenPath('recall-small/config.json'), 'utf8'))
const tensors = { 'model.norm.weight': { dtype: 'f32', shape: [2], data: Float32Array.of(1, 2) } } as const
const tokenizer = readFileSync(goldenPath('recall-small/tokenizer.json'), 'utf8')
const tokenizerConfig = JSON.parse(readFileSync(goldenPath('recall-small/tokenizer_config.json'), 'utf8'))

describe('writeModel', () => {
  it('writes a checkpoint that the readers read', async () => {
    const dir = join(folder.folder({}), 'model')
    const files = { 'tokenizer.json': tokenizer, 'tokenizer_config.json': tokenizerConfig }
    const written = await writeModel(dir, { config, tensors, files })
    const names = ['model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'config.json']
    expect(written).toEqual(names.map((name) => join(dir, name)))
    expect(readdirSync(dir).sort()).toEqual(names.sort())
    expect(await readModelConfig(dir)).toEqual(await readModelConfig(goldenPath('recall-small')))
    const { tensors: read } = await openCheckpoint(dir)
    expect([...(await readTensorData(read.get('model.norm.weight')!))]).toEqual([1, 2])
    const text = 'put key barn .'
    const original = await loadTokenizer(goldenPath('recall-small'))
    expect((await loadTokenizer(dir)).encode(text)).toEqual(original.encode(text))
    expect(readFileSync(join(dir, 'tokenizer.json'), 'utf8')).toBe(tokenizer)
  })

  it('replaces a model', async () => {
    const dir = folder.folder({})
    cpSync(goldenPath('recall-small/config.json'), join(dir, 'config.json'))
    await writeModel(dir, { config: { ...config, vocab_size: 7 }, tensors, files: {} })
    expect(JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'))).toEqual({ ...config, vocab_size: 7 })
  })

  it.each(['config.json', 'model.safetensors', '../outside', 'a/b', '..', ''])(
    'refuses %j beside a model',
    async (name) => {
      const dir = join(folder.folder({}), 'none')
      const write = () => writeModel(dir, { config, tensors, files: { [name]: 'x' } })
      await expectTrimError(write, 'TRIMKV_OPTION', /plain name/)
      expect(existsSync(dir)).toBe(false)
    },
  )

  it('refuses a configuration that could not be read', async () => {
    const write = () => writeModel(folder.path('never'), { config: {}, tensors, files: {} })
    await expectTrimError(write, 'TRIMKV_CONFIG_INVALID', /model_type/)
  })
})
