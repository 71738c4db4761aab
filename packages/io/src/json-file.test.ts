import { describe, expect, it } from 'vitest'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { readJsonObject } from './json-file.ts'
import { readModelConfig } from './model-config.ts'
import { openSafetensors } from './safetensors.ts'

const folder = useTemporaryFolder()
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`

describe('nesting', () => {
  it('is refused past 200 levels', async () => {
    const path = folder.write('deep.json', `{"a":${nested(200)}}`)
    await expectTrimError(() => readJsonObject(path), 'TRIMKV_FORMAT', /content[\s\S]*at most 200 levels/)
    expect(await readJsonObject(folder.write('fine.json', `{"a":${nested(199)}}`))).toHaveProperty('a')
  })

  it('of any depth is answered, where a value would be shown or compared', async () => {
    const deep = nested(200_000)
    for (const field of ['model_type', 'rope_scaling', 'hidden_size', 'anything']) {
      const dir = folder.folder({ 'config.json': `{"model_type":"qwen3","${field}":${deep}}` })
      await expectTrimError(() => readModelConfig(dir), 'TRIMKV_FORMAT', /levels of nesting/)
    }
    const header = Buffer.from(`{"a":${deep}}`)
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    const path = folder.write('deep.safetensors', Buffer.concat([length, header]))
    await expectTrimError(() => openSafetensors(path), 'TRIMKV_FORMAT', /header[\s\S]*levels of nesting/)
  })
})

describe('messages', () => {
  it('stay short when names and values of a file are long', async () => {
    const long = 'x'.repeat(300_000)
    const header = Buffer.from(`{"${long}":{"dtype":"${long}","shape":[],"data_offsets":[0,0]}}`)
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    const path = folder.write('long.safetensors', Buffer.concat([length, header]))
    const error = await expectTrimError(() => openSafetensors(path), 'TRIMKV_FORMAT', /x…[\s\S]*x…/)
    expect(error.message.length).toBeLessThan(2000)
  })
})
