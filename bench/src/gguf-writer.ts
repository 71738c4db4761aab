import { open } from 'node:fs/promises'

/** GGUF value types used here (specification: ggml docs/gguf.md). */
const types = { u32: 4, i32: 5, f32: 6, string: 8, array: 9 } as const
const ggmlF32 = 0
const alignment = 32

export type GgufValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly i32s: readonly number[] }

/** A row-major f32 tensor, outermost axis first (GGUF itself lists the innermost first). */
export interface GgufTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array
}

class Bytes {
  readonly #parts: Buffer[] = []

  u32(value: number): this {
    const part = Buffer.alloc(4)
    part.writeUInt32LE(value)
    return this.raw(part)
  }

  u64(value: number): this {
    const part = Buffer.alloc(8)
    part.writeBigUInt64LE(BigInt(value))
    return this.raw(part)
  }

  f32(value: number): this {
    const part = Buffer.alloc(4)
    part.writeFloatLE(value)
    return this.raw(part)
  }

  string(value: string): this {
    const text = Buffer.from(value, 'utf8')
    return this.u64(text.length).raw(text)
  }

  raw(part: Buffer): this {
    this.#parts.push(part)
    return this
  }

  done(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

function writeValue(out: Bytes, value: GgufValue): void {
  if ('u32' in value) out.u32(types.u32).u32(value.u32)
  else if ('f32' in value) out.u32(types.f32).f32(value.f32)
  else if ('string' in value) out.u32(types.string).string(value.string)
  else if ('strings' in value) {
    out.u32(types.array).u32(types.string).u64(value.strings.length)
    for (const text of value.strings) out.string(text)
  } else {
    out.u32(types.array).u32(types.i32).u64(value.i32s.length)
    for (const number of value.i32s) out.u32(number >>> 0)
  }
}

const pad = (length: number): number => (alignment - (length % alignment)) % alignment

/** Writes a GGUF v3 file of f32 tensors. */
export async function writeGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Promise<void> {
  const head = new Bytes()
    .raw(Buffer.from('GGUF'))
    .u32(3)
    .u64(tensors.length)
    .u64(Object.keys(metadata).length)
  for (const [key, value] of Object.entries(metadata)) writeValue(head.string(key), value)
  let offset = 0
  for (const tensor of tensors) {
    head.string(tensor.name).u32(tensor.shape.length)
    for (const size of [...tensor.shape].reverse()) head.u64(size)
    head.u32(ggmlF32).u64(offset)
    offset += tensor.data.byteLength + pad(tensor.data.byteLength)
  }
  const header = head.done()
  const file = await open(path, 'w')
  try {
    await file.write(header)
    await file.write(Buffer.alloc(pad(header.length)))
    for (const { data } of tensors) {
      await file.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      await file.write(Buffer.alloc(pad(data.byteLength)))
    }
  } finally {
    await file.close()
  }
}
