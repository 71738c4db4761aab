import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { readTensorBytes, readTensorData, readTensorIntegers } from './read-tensor.ts'
import type { TensorToWrite } from './tensor-to-write.ts'
import { openTorchFile } from './torch-file.ts'
import { writeTorchFile } from './write-torch-file.ts'

const folder = useTemporaryFolder()

async function tensorsOf(path: string): Promise<Record<string, TensorToWrite>> {
  const tensors: Record<string, TensorToWrite> = {}
  for (const entry of (await openTorchFile(path)).tensors.values()) {
    tensors[entry.name] = { dtype: entry.dtype!, shape: entry.shape, data: await readTensorBytes(entry) }
  }
  return tensors
}

/** The file with zeros where the id stands, which torch makes with a hash of its own, and where its checksums stand. */
function withoutId(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const name = '.data/serialization_id'
  const local = copy.indexOf(name)
  const data = Math.ceil((local + name.length) / 64) * 64
  const record = copy.lastIndexOf(name)
  copy.fill(0, data, data + 40)
  copy.fill(0, data + 44, data + 48)
  copy.fill(0, record - 'trimkv_weights/'.length - 30, record - 'trimkv_weights/'.length - 26)
  return copy
}

describe('writeTorchFile', () => {
  const releases = ['qwen3-rg', 'qwen3-rg2', 'qwen3-rg3', 'llama-rg', 'phi3-rg'].map((name) =>
    goldenPath(`trimkv-${name}/gates/trimkv_weights.pth`),
  )

  it.each(releases)('writes %s byte for byte as torch.save did', async (golden) => {
    const path = join(folder.folder({}), 'trimkv_weights.pth')
    await writeTorchFile(path, await tensorsOf(golden))
    const [written, saved] = [readFileSync(path), readFileSync(golden)]
    expect(withoutId(written).equals(withoutId(saved))).toBe(true)
    expect(/serialization_idFB.{2}Z*(\d{40})PK/.test(written.toString('latin1'))).toBe(true)
  })

  it('writes what the reader reads, of every element type and shape', async () => {
    const path = folder.path('all.pth')
    const large = Float32Array.from({ length: 70_000 }, (_, i) => i)
    await writeTorchFile(path, {
      weights: { dtype: 'f32', shape: [2, 2], data: Float32Array.of(1.5, -2, 3e-40, 4) },
      half: { dtype: 'bf16', shape: [3], data: Uint16Array.of(0x3f80, 0x4000, 0xbf80) },
      ids: { dtype: 'i32', shape: [1, 1, 1, 2], data: Int32Array.of(-1, 7) },
      scalar: { dtype: 'f32', shape: [], data: Float32Array.of(9) },
      empty: { dtype: 'f16', shape: [0, 4], data: new Uint16Array(0) },
      größe: { dtype: 'f32', shape: [70_000], data: large },
      view: { dtype: 'f32', shape: [2], data: large.subarray(3, 5) },
    })
    const { tensors } = await openTorchFile(path)
    const floatsOf = async (name: string) => [...(await readTensorData(tensors.get(name)!))]
    expect(await floatsOf('weights')).toEqual([...Float32Array.of(1.5, -2, 3e-40, 4)])
    expect(await floatsOf('half')).toEqual([1, 2, -1])
    expect([...(await readTensorIntegers(tensors.get('ids')!))]).toEqual([-1, 7])
    expect(tensors.get('ids')?.shape).toEqual([1, 1, 1, 2])
    expect(await floatsOf('scalar')).toEqual([9])
    expect(tensors.get('empty')?.shape).toEqual([0, 4])
    expect(await floatsOf('größe')).toEqual([...large])
    expect(await floatsOf('view')).toEqual([3, 4])
    expect([...tensors.values()].filter(({ byteOffset }) => byteOffset % 64 !== 0)).toEqual([])
  })

  it.each([0, 1, 999, 1000, 1001])('writes %i tensors', async (count) => {
    const path = folder.path(`many-${count}.pth`)
    const one = (i: number): TensorToWrite => ({ dtype: 'f32', shape: [1], data: Float32Array.of(i) })
    await writeTorchFile(path, Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, one(i)])))
    const { tensors } = await openTorchFile(path)
    expect(tensors.size).toBe(count)
    const last = tensors.get(`t${count - 1}`)
    if (last) expect([...(await readTensorData(last))]).toEqual([count - 1])
  })

  it('gives equal files for equal tensors, and another id for others', async () => {
    const write = async (value: number) => {
      const path = join(folder.folder({}), 'a.pth')
      await writeTorchFile(path, { a: { dtype: 'f32', shape: [1], data: Float32Array.of(value) } })
      return readFileSync(path)
    }
    const [first, again, other] = [await write(1), await write(1), await write(2)]
    expect(first.equals(again)).toBe(true)
    const idOf = (bytes: Buffer) => /Z(\d{40})PK/.exec(bytes.toString('latin1'))?.[1]
    expect(idOf(first)).not.toBe(idOf(other))
  })

  it('refuses data that is not of its shape, and sizes that the format has no room for', async () => {
    const short = { a: { dtype: 'f32', shape: [2], data: new Float32Array(1) } } as const
    await expectTrimError(() => writeTorchFile(folder.path('never'), short), 'TRIMKV_SHAPE', /8 bytes/)
    const wide = { a: { dtype: 'f32', shape: [0, 2 ** 40], data: new Float32Array(0) } } as const
    await expectTrimError(() => writeTorchFile(folder.path('never'), wide), 'TRIMKV_UNSUPPORTED', /size of/)
  })
})
