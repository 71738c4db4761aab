import { decodeUtf8 } from '../json-file.ts'
import { malformed } from '../malformed.ts'

/** Thrown when the bytes at hand end before the header does. */
export class HeaderGoesOn extends Error {}

/** Reads values one after another from the beginning of a file, of which some bytes are at hand. */
export class GgufCursor {
  at = 0
  readonly file: string
  /** Of the whole file. */
  readonly size: number
  readonly #bytes: Buffer

  constructor(bytes: Buffer, { file, size }: { readonly file: string; readonly size: number }) {
    this.#bytes = bytes
    this.file = file
    this.size = size
  }

  /** @throws TRIMKV_FORMAT when the file has less than `count` bytes more; HeaderGoesOn when those at hand are less */
  require(count: number, field: string): void {
    if (count > this.size - this.at) {
      malformed({
        file: this.file,
        field,
        expected: `${count} bytes at ${this.at}`,
        got: `${this.size - this.at} to the end of the file`,
        hint: 'the file is truncated or damaged; fetch it again',
      })
    }
    if (this.at + count > this.#bytes.length) throw new HeaderGoesOn()
  }

  /** Steps over `count` bytes. @throws as {@link require} */
  #take(count: number, field: string): number {
    this.require(count, field)
    this.at += count
    return this.at - count
  }

  u8 = (field: string): number => this.#bytes.readUInt8(this.#take(1, field))
  i8 = (field: string): number => this.#bytes.readInt8(this.#take(1, field))
  u16 = (field: string): number => this.#bytes.readUInt16LE(this.#take(2, field))
  i16 = (field: string): number => this.#bytes.readInt16LE(this.#take(2, field))
  u32 = (field: string): number => this.#bytes.readUInt32LE(this.#take(4, field))
  i32 = (field: string): number => this.#bytes.readInt32LE(this.#take(4, field))
  f32 = (field: string): number => this.#bytes.readFloatLE(this.#take(4, field))
  f64 = (field: string): number => this.#bytes.readDoubleLE(this.#take(8, field))
  i64 = (field: string): number => this.#safe(this.#bytes.readBigInt64LE(this.#take(8, field)), field)
  u64 = (field: string): number => this.#safe(this.#bytes.readBigUInt64LE(this.#take(8, field)), field)

  /** A number of things that take at least `bytesEach` in the rest of the file. */
  count(field: string, bytesEach: number): number {
    const count = this.u64(field)
    const most = Math.floor((this.size - this.at) / bytesEach)
    if (count > most)
      malformed({ file: this.file, field, expected: `at most ${most}, which fit the file`, got: count })
    return count
  }

  text(field: string): string {
    const length = this.count(field, 1)
    const from = this.#take(length, field)
    return decodeUtf8(this.#bytes.subarray(from, from + length), this.file, field)
  }

  #safe(value: bigint, field: string): number {
    const number = Number(value)
    if (Number.isSafeInteger(number)) return number
    return malformed({ file: this.file, field, expected: 'a number below 2^53', got: value })
  }
}
