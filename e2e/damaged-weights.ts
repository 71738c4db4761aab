import { readFileSync, writeFileSync } from 'node:fs'
import { openSafetensors, type TensorEntry } from '@trimkv/io'

async function damage(
  path: string,
  name: RegExp,
  change: (bytes: Buffer, entry: TensorEntry) => void,
): Promise<void> {
  const { tensors } = await openSafetensors(path)
  const entry = [...tensors.values()].find((tensor) => name.test(tensor.name))!
  const bytes = readFileSync(path)
  change(bytes.subarray(entry.byteOffset, entry.byteOffset + entry.byteLength), entry)
  writeFileSync(path, bytes)
}

/** Replaces every element of one weight in a safetensors file. */
export const fillWeight = (path: string, name: RegExp, value: number): Promise<void> =>
  damage(path, name, (bytes, { fileDtype }) => {
    const float = Buffer.alloc(4)
    float.writeFloatBE(value)
    if (fileDtype !== 'F32' && fileDtype !== 'BF16') throw new Error(`no weights in ${fileDtype} here`)
    bytes.fill(Buffer.from(float.subarray(0, fileDtype === 'F32' ? 4 : 2)).reverse())
  })

/** Bytes of 16 rows by 32 weights, which begin with an f16 scale for each row. */
const blockBytes = { q8: 32 + 512, q4: 32 + 256 }

/** Replaces every scale of one quantised weight in a safetensors file. @param bits of an f16 */
export const fillScales = (path: string, name: RegExp, bits: number): Promise<void> =>
  damage(path, name, (bytes, { dtype }) => {
    const size = blockBytes[dtype as 'q8' | 'q4']
    for (let at = 0; at < bytes.length; at += size) {
      for (let row = 0; row < 16; row++) bytes.writeUInt16LE(bits, at + 2 * row)
    }
  })
