import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { openGates } from './gates-checkpoint.ts'
import { readTensorBytes, readTensorData } from './read-tensor.ts'
import type { TensorToWrite } from './tensor-to-write.ts'
import { writeGates, writeTorchGates } from './write-gates.ts'

const folder = useTemporaryFolder()
const config = { retention_gate: 'rg', retention_gate_intermediate_size: 4, memory_size: 32, note: 'ü' }
const name = 'model.layers.0.self_attn.retention_gate.bias'
const biasOf = (...data: number[]): Record<string, TensorToWrite> => ({
  [name]: { dtype: 'f32', shape: [data.length], data: Float32Array.from(data) },
})

describe.each([
  ['writeGates', writeGates, 'retention_gates.safetensors'],
  ['writeTorchGates', writeTorchGates, 'trimkv_weights.pth'],
] as const)('%s', (_, write, file) => {
  it('writes a folder that openGates reads, and says what it wrote', async () => {
    const dir = join(folder.folder({}), 'new', 'gates')
    const written = await write(dir, { config, tensors: biasOf(18, 17) })
    expect(written).toEqual([join(dir, file), join(dir, 'config.json')])
    expect(readdirSync(dir).sort()).toEqual(['config.json', file].sort())
    const gates = await openGates(dir)
    expect(gates.config).toMatchObject({ kind: 'rg', intermediateSize: 4, memorySize: 32, raw: config })
    expect([...(await readTensorData(gates.tensors.get(name)!))]).toEqual([18, 17])
  })

  it('keeps the bits of a release', async () => {
    const from = await openGates(goldenPath('recall-small/gates'))
    const tensors: Record<string, TensorToWrite> = {}
    for (const entry of from.tensors.values()) {
      tensors[entry.name] = { dtype: entry.dtype!, shape: entry.shape, data: await readTensorBytes(entry) }
    }
    const dir = folder.folder({})
    await write(dir, { config: from.config.raw, tensors })
    const to = await openGates(dir)
    expect(to.config).toEqual(from.config)
    expect([...to.tensors.keys()].sort()).toEqual([...from.tensors.keys()].sort())
    for (const entry of to.tensors.values()) {
      expect(Buffer.from(await readTensorBytes(entry)).equals(tensors[entry.name]!.data as Uint8Array)).toBe(
        true,
      )
    }
  })

  it('refuses a configuration that could not be read, before it makes anything', async () => {
    const dir = join(folder.folder({}), 'none')
    const unknown = { config: { ...config, retention_gate: 'rg7' }, tensors: biasOf(1) }
    await expectTrimError(() => write(dir, unknown), 'TRIMKV_MODEL_UNSUPPORTED', /rg7/)
    expect(existsSync(dir)).toBe(false)
  })

  it('leaves no configuration when the tensors cannot be written', async () => {
    const dir = folder.folder({})
    const wrong = { [name]: { dtype: 'f32', shape: [3], data: Float32Array.of(1) } } as const
    await expectTrimError(() => write(dir, { config, tensors: wrong }), 'TRIMKV_SHAPE', /bias/)
    expect(readdirSync(dir)).toEqual([])
  })

  it('says when the folder cannot be made', async () => {
    const dir = join(folder.write('occupied', 'a file'), 'gates')
    await expectTrimError(() => write(dir, { config, tensors: {} }), 'TRIMKV_IO', /cannot be made/)
  })
})

it('writeTorchGates refuses a folder whose other weights would be read instead', async () => {
  const dir = folder.folder({})
  await writeGates(dir, { config, tensors: biasOf(1) })
  const before = readFileSync(join(dir, 'config.json'))
  const write = () => writeTorchGates(dir, { config: { ...config, memory_size: 1 }, tensors: biasOf(2) })
  await expectTrimError(write, 'TRIMKV_OPTION', /retention_gates\.safetensors.*read instead/s)
  expect(readFileSync(join(dir, 'config.json')).equals(before)).toBe(true)
})
