import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { readGenerationConfig } from './generation-config.ts'

const folder = useTemporaryFolder()
const read = (config: object) => readGenerationConfig(folder.folder({ 'generation_config.json': config }))

describe('readGenerationConfig', () => {
  it('reads the defaults of the authors', async () => {
    const published = {
      do_sample: true,
      eos_token_id: [151_645, 151_643],
      temperature: 0.6,
      top_k: 20,
      top_p: 0.95,
    }
    expect(await read(published)).toEqual({
      eosTokenIds: [151_645, 151_643],
      bosTokenId: undefined,
      padTokenId: undefined,
      doSample: true,
      temperature: 0.6,
      topP: 0.95,
      topK: 20,
    })
    expect((await readGenerationConfig(goldenPath('llama/hf'))).eosTokenIds).toEqual([2])
  })

  it('leaves everything open when there is no file', async () => {
    const { eosTokenIds, ...rest } = await readGenerationConfig(folder.folder({}))
    expect(eosTokenIds).toEqual([])
    expect(new Set(Object.values(rest))).toEqual(new Set([undefined]))
  })

  it.each([
    ['temperature', -1],
    ['top_p', 1.5],
    ['top_k', 0.5],
    ['do_sample', 1],
  ])('refuses %s %s', async (field, value) => {
    await expectTrimError(() => read({ [field]: value }), 'TRIMKV_CONFIG_INVALID', new RegExp(field))
  })
})
