import type { SeededRandom } from '../seeded-random.ts'
import { pick } from './fuzz-target.ts'

interface Field {
  readonly offset: number
  readonly width: 1 | 2 | 4 | 8
}

/** Writes a binary file and remembers where its numbers stand, so that they can be changed one by one. */
export class FieldBytes {
  readonly #parts: Buffer[] = []
  readonly #fields: Field[] = []
  #length = 0

  /** Bytes written so far: the offset of what comes next. */
  get length(): number {
    return this.#length
  }

  /** A little-endian unsigned integer of `width` bytes. */
  number(width: Field['width'], value: number | bigint): this {
    this.#fields.push({ offset: this.#length, width })
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)))
    return this.bytes(bytes.subarray(0, width))
  }

  bytes(content: string | Uint8Array): this {
    const bytes = Buffer.from(content as Uint8Array)
    this.#parts.push(bytes)
    this.#length += bytes.length
    return this
  }

  /** The file as it was written. */
  whole(): Buffer {
    return Buffer.concat(this.#parts)
  }

  /** The file with `count` of its numbers replaced: near what they were, at limits, or by another number of the file. */
  mutated(random: SeededRandom, count: number): Buffer {
    const file = this.whole()
    for (let i = 0; i < count; i++) {
      const { offset, width } = pick(random, this.#fields)
      const target = file.subarray(offset, offset + width)
      const old = readUnsigned(target)
      const other = pick(random, this.#fields)
      const value = pick(random, [
        old + 1n,
        old - 1n,
        old * 2n,
        old ^ (1n << BigInt(random.int(0, 8 * width - 1))),
        0n,
        (1n << BigInt(8 * width)) - 1n,
        1n << BigInt(8 * width - 1),
        (1n << 53n) - 1n,
        BigInt(file.length) - BigInt(random.int(0, 64)),
        readUnsigned(file.subarray(other.offset, other.offset + other.width)),
      ])
      writeUnsigned(target, value)
    }
    return file
  }
}

const readUnsigned = (bytes: Buffer): bigint =>
  bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)

function writeUnsigned(bytes: Buffer, value: bigint): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn)
}
