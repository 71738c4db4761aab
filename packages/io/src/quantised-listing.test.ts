import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quantise } from '@trimkv/tensor'
import { afterAll, describe, expect, it } from 'vitest'
import { readTensorBytes } from './read-tensor.ts'
import { openSafetensors } from './safetensors.ts'
import { writeSafetensors } from './write-safetensors.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-quantised-'))
afterAll(() => rmSync(folder, { recursive: true }))

const spec = { dtype: 'q8', shape: [20, 64] } as const
const data = quantise(
  Float32Array.from({ length: 20 * 64 }, (_, i) => Math.sin(i)),
  spec,
)
const path = join(folder, 'a.safetensors')
const write = () =>
  writeSafetensors(path, {
    norm: { dtype: 'f32', shape: [3], data: Float32Array.of(1, 2, 3) },
    weight: { ...spec, data },
  })

/** The file with another text of the same length in its header. */
async function changed(from: string, to: string): Promise<string> {
  await write()
  const bytes = readFileSync(path)
  const at = bytes.indexOf(from)
  expect(at).toBeGreaterThan(0)
  expect(to).toHaveLength(from.length)
  bytes.write(to, at)
  const other = join(folder, 'changed.safetensors')
  writeFileSync(other, bytes)
  return other
}

describe('quantised weights in safetensors', () => {
  it('come back with their type, shape and bytes, aligned for vectors', async () => {
    await write()
    const { tensors } = await openSafetensors(path)
    const weight = tensors.get('weight')!
    expect(weight).toMatchObject({ dtype: 'q8', fileDtype: 'U8', shape: [20, 64], byteLength: data.length })
    expect(weight.byteOffset % 64).toBe(0)
    expect(await readTensorBytes(weight)).toEqual(data)
    expect(tensors.get('norm')).toMatchObject({ dtype: 'f32', shape: [3] })
  })

  it('may be written piece by piece, and are refused when the pieces are too few', async () => {
    async function* pieces() {
      yield data.subarray(0, 100)
      yield data.subarray(100)
    }
    async function* tooFew() {
      yield data.subarray(0, 100)
    }
    const other = join(folder, 'pieces.safetensors')
    await writeSafetensors(other, { weight: { ...spec, data: pieces } })
    expect(await readTensorBytes((await openSafetensors(other)).tensors.get('weight')!)).toEqual(data)
    await expect(writeSafetensors(other, { weight: { ...spec, data: tooFew } })).rejects.toThrow(/100 bytes/)
  })

  it.each([
    ['\\"dtype\\":\\"q8\\"', '\\"dtype\\":\\"q4\\"', 'TRIMKV_FORMAT'],
    ['\\"dtype\\":\\"q8\\"', '\\"dtype\\":\\"q9\\"', 'TRIMKV_FORMAT'],
    ['\\"shape\\":[20,64]', '\\"shape\\":[40,64]', 'TRIMKV_FORMAT'],
    ['\\"shape\\":[20,64]', '\\"shape\\":[20,63]', 'TRIMKV_FORMAT'],
    ['\\"shape\\":[20,64]', '\\"shape\\":[0,1e9]', 'TRIMKV_FORMAT'],
    ['\\"tensors\\":{\\"weight', '\\"tensors\\":{\\"absent', 'TRIMKV_FORMAT'],
    ['\\"version\\":1', '\\"version\\":2', 'TRIMKV_UNSUPPORTED'],
  ])('are refused where metadata and tensors disagree: %s as %s', async (from, to, code) => {
    await expect(openSafetensors(await changed(from, to))).rejects.toMatchObject({ code })
  })
})
