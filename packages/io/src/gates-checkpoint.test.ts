import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { openGates, readGatesConfig } from './gates-checkpoint.ts'
import { writeSafetensors } from './write-safetensors.ts'

const folder = useTemporaryFolder()
const config = { retention_gate: 'rg', retention_gate_intermediate_size: 64 }

describe('readGatesConfig', () => {
  it('reads a release', async () => {
    expect(await readGatesConfig(goldenPath('trimkv-qwen3-rg3/gates'))).toMatchObject({
      kind: 'rg3',
      intermediateSize: 48,
      baseModel: 'tiny/qwen3',
      memorySize: 16,
      biasInit: 10,
      raw: { compress_strategy: 'alpha' },
    })
    expect(await readGatesConfig(goldenPath('recall-small/gates'))).toMatchObject({
      kind: 'rg',
      memorySize: 32,
      biasInit: 18,
    })
  })

  it('needs the kind and the size only', async () => {
    expect(await readGatesConfig(folder.folder({ 'config.json': config }))).toMatchObject({
      baseModel: undefined,
      memorySize: undefined,
    })
  })

  it('refuses a kind without a definition, and no kind', async () => {
    const read = (fields: object) => () =>
      readGatesConfig(folder.folder({ 'config.json': { ...config, ...fields } }))
    await expectTrimError(
      read({ retention_gate: 'rg7' }),
      'TRIMKV_MODEL_UNSUPPORTED',
      /retention_gate.*rg, rg2, rg3, rg10.*rg7/s,
    )
    await expectTrimError(read({ retention_gate: null }), 'TRIMKV_CONFIG_INVALID', /retention_gate/)
    await expectTrimError(
      read({ retention_gate_intermediate_size: 0 }),
      'TRIMKV_CONFIG_INVALID',
      /intermediate_size/,
    )
    await expectTrimError(read({ memory_size: -3 }), 'TRIMKV_CONFIG_INVALID', /memory_size/)
  })
})

describe('openGates', () => {
  it.each(['trimkv-qwen3-rg', 'trimkv-qwen3-rg2', 'trimkv-qwen3-rg3', 'trimkv-llama-rg', 'trimkv-phi3-rg'])(
    'opens the release %s',
    async (name) => {
      const { config: gates, tensors } = await openGates(goldenPath(`${name}/gates`))
      const hidden = gates.kind === 'rg3' ? 'gate_proj' : 'linear1'
      const weight = tensors.get(`model.layers.2.self_attn.retention_gate.${hidden}.weight`)
      expect(weight).toMatchObject({ dtype: 'bf16', shape: [48, gates.kind === 'rg' ? 64 : 128] })
      expect(tensors.size).toBe(12)
    },
  )

  it('prefers our file over the published one beside it', async () => {
    const dir = folder.folder({ 'config.json': config })
    copyFileSync(goldenPath('recall-small/gates/trimkv_weights.pth'), join(dir, 'trimkv_weights.pth'))
    expect((await openGates(dir)).tensors.size).toBe(16)
    const bias = { dtype: 'f32', shape: [2], data: Float32Array.of(18, 18) } as const
    await writeSafetensors(join(dir, 'retention_gates.safetensors'), { bias })
    expect([...(await openGates(dir)).tensors.keys()]).toEqual(['bias'])
  })

  it('says what it looked for, and passes on what is wrong with it', async () => {
    const empty = folder.folder({ 'config.json': config })
    await expectTrimError(
      () => openGates(empty),
      'TRIMKV_NOT_FOUND',
      /retention_gates\.safetensors or trimkv_weights\.pth/,
    )
    const whole = readFileSync(goldenPath('recall-small/gates/trimkv_weights.pth'))
    const cut = folder.folder({ 'config.json': config, 'trimkv_weights.pth': whole.subarray(0, 5000) })
    await expectTrimError(() => openGates(cut), 'TRIMKV_FORMAT', /trimkv_weights\.pth/)
  })
})
