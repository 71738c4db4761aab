import { open } from 'node:fs/promises'

/** GGUF value types used here (specification: ggml docs/gguf.md). */
const types = { u8: 0, u32: 4, i32: 5, f32: 6, string: 8, array: 9 } as const
const alignment = 32
const blockLength = 32

export type GgufValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly i32s: readonly number[] }
  | { readonly f32s: readonly number[] }
  | { readonly u8s: Uint8Array }

/** The nearest f16, ties to even; numbers too large become infinite. */
function f16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  if (Number.isNaN(value)) return 0x7e00
  if (size >= 65_520) return sign | 0x7c00
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size))
  const units = size * 2 ** (10 - exponent)
  const floor = Math.floor(units)
  const up = units - floor > 0.5 || (units - floor === 0.5 && floor % 2 === 1)
  // A carry out of the fraction goes on into the exponent, as it should.
  return sign | ((exponent + 14) * 1024 + floor + (up ? 1 : 0))
}

const word = new DataView(new ArrayBuffer(4))

/** The nearest bf16, ties to even, of a finite number. */
function bf16Bits(value: number): number {
  word.setFloat32(0, value)
  const bits = word.getUint32(0)
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)

/** Blocks of 32 numbers as an f16 scale and `bytes` of what `put` makes of them. */
function blocks(
  values: Float32Array,
  bytes: number,
  put: (block: Float32Array, to: DataView) => number,
): Uint8Array {
  const out = new Uint8Array((values.length / blockLength) * (2 + bytes))
  for (let i = 0; i < values.length / blockLength; i++) {
    const at = new DataView(out.buffer, i * (2 + bytes), 2 + bytes)
    const scale = put(values.subarray(i * blockLength, (i + 1) * blockLength), at)
    at.setUint16(0, f16Bits(scale), true)
  }
  return out
}

const largest = (block: Float32Array): number =>
  block.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0)

/** Number formats of GGUF tensors (ggml.h, enum ggml_type; ggml-common.h for the blocks). */
export const ggufFormats = {
  F32: { id: 0, encode: (values: Float32Array): Uint8Array => bytesOf(values) },
  F16: { id: 1, encode: (values: Float32Array): Uint8Array => bytesOf(Uint16Array.from(values, f16Bits)) },
  BF16: { id: 30, encode: (values: Float32Array): Uint8Array => bytesOf(Uint16Array.from(values, bf16Bits)) },
  Q8_0: {
    id: 8,
    encode: (values: Float32Array): Uint8Array =>
      blocks(values, 32, (block, to) => {
        const scale = Math.abs(largest(block)) / 127
        block.forEach((x, i) => {
          to.setInt8(2 + i, scale === 0 ? 0 : Math.round(x / scale))
        })
        return scale
      }),
  },
  Q4_0: {
    id: 2,
    encode: (values: Float32Array): Uint8Array =>
      blocks(values, 16, (block, to) => {
        const scale = largest(block) / -8
        const nibble = (x: number): number => (scale === 0 ? 8 : Math.min(15, Math.floor(x / scale + 8.5)))
        for (let i = 0; i < 16; i++) to.setUint8(2 + i, nibble(block[i]!) | (nibble(block[i + 16]!) << 4))
        return scale
      }),
  },
} as const
export type GgufFormat = keyof typeof ggufFormats

/** A row-major tensor, outermost axis first (GGUF itself lists the innermost first). */
export interface GgufTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly format: GgufFormat
  /** As the format encodes it. */
  readonly data: Uint8Array
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
    const [type, numbers] = numbersOf(value)
    out
      .u32(types.array)
      .u32(type)
      .u64(numbers.length)
      .raw(Buffer.from(bytesOf(numbers)))
  }
}

type Numbers = Extract<GgufValue, { i32s: unknown } | { f32s: unknown } | { u8s: unknown }>

function numbersOf(value: Numbers): readonly [number, Int32Array | Float32Array | Uint8Array] {
  if ('i32s' in value) return [types.i32, Int32Array.from(value.i32s)]
  return 'f32s' in value ? [types.f32, Float32Array.from(value.f32s)] : [types.u8, value.u8s]
}

const pad = (length: number): number => (alignment - (length % alignment)) % alignment

/** Writes a GGUF v3 file. */
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
    head.u32(ggufFormats[tensor.format].id).u64(offset)
    offset += tensor.data.byteLength + pad(tensor.data.byteLength)
  }
  const header = head.done()
  const file = await open(path, 'w')
  try {
    await file.write(header)
    await file.write(Buffer.alloc(pad(header.length)))
    for (const { data } of tensors) {
      await file.write(data)
      await file.write(Buffer.alloc(pad(data.byteLength)))
    }
  } finally {
    await file.close()
  }
}
