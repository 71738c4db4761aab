import { readFileSync } from 'node:fs'

const folder = new URL('../../../e2e/golden/', import.meta.url)

/** A recorded JSON file. */
export const goldenJson = (path: string): unknown => JSON.parse(readFileSync(new URL(path, folder), 'utf8'))

/** f32 tensors of a recorded safetensors file, by name. */
export function goldenTensors(path: string): (name: string) => { shape: number[]; data: Float32Array } {
  const file = readFileSync(new URL(path, folder))
  const headerBytes = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >
  return (name) => {
    const entry = header[name]
    if (entry?.dtype !== 'F32') throw new Error(`${path} has no f32 tensor ${name}`)
    const [start, end] = entry.data_offsets.map((offset) => 8 + headerBytes + offset) as [number, number]
    return {
      shape: entry.shape,
      data: new Float32Array(file.buffer.slice(file.byteOffset + start, file.byteOffset + end)),
    }
  }
}
