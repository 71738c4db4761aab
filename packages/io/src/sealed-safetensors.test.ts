import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { narrowBf16, narrowF8, narrowF16, widenBf16, widenF8, widenF16 } from './half-precision.ts'
import { openSafetensors } from './safetensors.ts'
import { openSealedSafetensors, type TensorOnDemand, writeSealedSafetensors } from './sealed-safetensors.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trimkv-sealed-'))
})
afterAll(() => rm(folder, { recursive: true }))

const tensors: readonly TensorOnDemand[] = [
  { name: 'half', dtype: 'f16', shape: [3], read: () => Float32Array.of(1.5, -(2 ** -24), Infinity) },
  { name: 'brain', dtype: 'bf16', shape: [2, 1], read: () => Float32Array.of(-0, 3.140625) },
  { name: 'whole', dtype: 'i32', shape: [2], read: () => Int32Array.of(-5, 7) },
  { name: 'plain', dtype: 'f32', shape: [1], read: () => Float32Array.of(0.1) },
  { name: 'none', dtype: 'f32', shape: [0, 8], read: () => new Float32Array(0) },
]

async function written(name: string): Promise<string> {
  const path = join(folder, name)
  await writeSealedSafetensors(path, tensors, { metadata: { kind: 'test' } })
  return path
}

describe('a sealed file', () => {
  it('gives back every bit, and is a safetensors file', async () => {
    const path = await written('whole')
    await using file = await openSealedSafetensors(path)
    await file.verify()
    expect(file.metadata).toEqual({ kind: 'test' })
    for (const { name, read } of tensors) expect(await file.read(name)).toEqual(read())
    expect([...(await openSafetensors(path)).tensors.keys()].at(-1)).toBe('sha256')
  })

  it('does not verify when any one bit is another', async () => {
    const path = await written('flipped')
    const bytes = await readFile(path)
    let refused = 0
    for (let at = 0; at < bytes.length; at++) {
      const altered = Buffer.from(bytes)
      altered[at]! ^= 1 << (at % 8)
      await writeFile(path, altered)
      const check = async () => {
        await using file = await openSealedSafetensors(path)
        await file.verify()
      }
      await expect(check(), `byte ${at}`).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
      refused++
    }
    expect(refused).toBe(bytes.length)
  })

  it('is refused when it is cut off anywhere, or has no checksum', async () => {
    const path = await written('cut')
    const { length } = await readFile(path)
    for (const size of [length - 1, length - 33, 100, 8, 3, 0]) {
      await truncate(path, size)
      await expect(openSealedSafetensors(path)).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
    }
  })

  it('stays what it was when writing another is aborted or fails half-way', async () => {
    const path = await written('kept')
    const before = await readFile(path)
    const reason = new Error('enough')
    const controller = new AbortController()
    const aborting = tensors.map((tensor) => ({
      ...tensor,
      read: () => {
        controller.abort(reason)
        return tensor.read()
      },
    }))
    const options = { metadata: {}, signal: controller.signal }
    await expect(writeSealedSafetensors(path, aborting, options)).rejects.toBe(reason)
    expect(await readFile(path)).toEqual(before)
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

describe('narrowing', () => {
  it('is the inverse of widening for every half', () => {
    const all = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits)
    expect(narrowBf16(widenBf16(all))).toEqual(all)
    // Signalling NaNs may become quiet when a float is copied; all others keep their bits.
    const numbers = all.filter((bits) => (bits & 0x7c00) !== 0x7c00 || (bits & 0x3ff) === 0)
    expect(narrowF16(widenF16(numbers))).toEqual(numbers)
  })

  it('is the inverse of widening for every f8 but the NaN with a sign', () => {
    const all = Uint8Array.from({ length: 255 }, (_, bits) => bits)
    expect(narrowF8(widenF8(all))).toEqual(all)
  })
})
