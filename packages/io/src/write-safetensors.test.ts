import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { readTensorData, readTensorIntegers } from './read-tensor.ts'
import { openSafetensors } from './safetensors.ts'
import { writeSafetensors } from './write-safetensors.ts'

const folder = useTemporaryFolder()

describe('writeSafetensors', () => {
  it('writes what the reader reads', async () => {
    const path = join(folder.folder({}), 'a.safetensors')
    await writeSafetensors(
      path,
      {
        half: { dtype: 'bf16', shape: [3], data: Uint16Array.of(0x3f80, 0x4000, 0xbf80) },
        weights: { dtype: 'f32', shape: [2, 2], data: Float32Array.of(1.5, -2, 3e-40, 4) },
        ids: { dtype: 'i32', shape: [2], data: Int32Array.of(-1, 7) },
        scalar: { dtype: 'f32', shape: [], data: Float32Array.of(9) },
        empty: { dtype: 'f16', shape: [0, 4], data: new Uint16Array(0) },
      },
      { format: 'pt', note: 'ü' },
    )
    const { tensors, metadata } = await openSafetensors(path)
    expect(metadata).toEqual({ format: 'pt', note: 'ü' })
    const floatsOf = async (name: string) => [...(await readTensorData(tensors.get(name)!))]
    expect(await floatsOf('half')).toEqual([1, 2, -1])
    expect(await floatsOf('weights')).toEqual([...Float32Array.of(1.5, -2, 3e-40, 4)])
    expect(await floatsOf('scalar')).toEqual([9])
    expect(await floatsOf('empty')).toEqual([])
    expect([...(await readTensorIntegers(tensors.get('ids')!))]).toEqual([-1, 7])
    expect(tensors.get('weights')?.shape).toEqual([2, 2])
  })

  it('aligns every tensor to its elements and the data to 8 bytes', async () => {
    const path = folder.path('aligned.safetensors')
    await writeSafetensors(path, {
      a: { dtype: 'bf16', shape: [3], data: new Uint16Array(3) },
      b: { dtype: 'f32', shape: [1], data: new Float32Array(1) },
      c: { dtype: 'f16', shape: [1], data: new Uint16Array(1) },
      d: { dtype: 'i32', shape: [1], data: new Int32Array(1) },
    })
    const { tensors } = await openSafetensors(path)
    expect(
      [...tensors.values()].filter((t) => t.byteOffset % (t.dtype === 'f32' || t.dtype === 'i32' ? 4 : 2)),
    ).toEqual([])
    expect(readFileSync(path).readBigUInt64LE() % 8n).toBe(0n)
  })

  it('writes the bytes of a view, not of the buffer behind it', async () => {
    const path = folder.path('view.safetensors')
    await writeSafetensors(path, {
      a: { dtype: 'f32', shape: [2], data: Float32Array.of(0, 1, 2, 3).subarray(1, 3) },
    })
    expect([...(await readTensorData((await openSafetensors(path)).tensors.get('a')!))]).toEqual([1, 2])
  })

  it('gives equal files for equal tensors in any order', async () => {
    const a = { dtype: 'f32', shape: [1], data: Float32Array.of(1) } as const
    const b = { dtype: 'f32', shape: [1], data: Float32Array.of(2) } as const
    await writeSafetensors(folder.path('ab'), { a, b })
    await writeSafetensors(folder.path('ba'), { b, a })
    expect(readFileSync(folder.path('ab')).equals(readFileSync(folder.path('ba')))).toBe(true)
  })

  it('replaces a file and leaves nothing else behind', async () => {
    const dir = folder.folder({ 'a.safetensors': 'old' })
    await writeSafetensors(join(dir, 'a.safetensors'), {})
    expect(readdirSync(dir)).toEqual(['a.safetensors'])
    expect((await openSafetensors(join(dir, 'a.safetensors'))).tensors.size).toBe(0)
  })

  it('keeps the old file and cleans up when writing fails', async () => {
    const dir = folder.folder({})
    mkdirSync(join(dir, 'occupied'))
    await expectTrimError(() => writeSafetensors(join(dir, 'occupied'), {}), 'TRIMKV_IO', /cannot be written/)
    expect(readdirSync(dir)).toEqual(['occupied'])
    const nowhere = join(dir, 'none', 'a.safetensors')
    await expectTrimError(() => writeSafetensors(nowhere, {}), 'TRIMKV_IO', /ENOENT.*folder exists/s)
  })

  it('refuses data that is not of its shape or type before it writes', async () => {
    const path = folder.path('never')
    const short = { a: { dtype: 'f32', shape: [2], data: new Float32Array(1) } } as const
    await expectTrimError(
      () => writeSafetensors(path, short),
      'TRIMKV_SHAPE',
      /8 bytes for f32 \[2\]\s+got 4/,
    )
    const wrong = { a: { dtype: 'f32', shape: [1], data: new Int32Array(1) } } as const
    await expectTrimError(() => writeSafetensors(path, wrong), 'TRIMKV_DTYPE', /expected Float32Array/)
    const negative = { a: { dtype: 'f32', shape: [-1, -1], data: new Float32Array(1) } } as const
    await expectTrimError(() => writeSafetensors(path, negative), 'TRIMKV_SHAPE', /countable/)
    const reserved = { __metadata__: { dtype: 'f32', shape: [0], data: new Float32Array(0) } } as const
    await expectTrimError(() => writeSafetensors(path, reserved), 'TRIMKV_OPTION', /__metadata__/)
    expect(readdirSync(folder.path(''))).not.toContain('never')
  })
})
