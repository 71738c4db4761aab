import type { FileReader } from './file-reader.ts'
import { malformed } from './malformed.ts'

const signature = { end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50 }
const bytesOf = { end: 22, end64: 56, locator64: 20 }

const longestComment = 0xffff
const largestDirectory = 64 * 1024 * 1024
/** The fixed part of a record of the directory. */
export const directoryRecordBytes = 46
/** In the field of a record: the value is too large for it and stands in its zip64 counterpart. */
export const inZip64: { readonly size: number; readonly count: number } = { size: 0xffffffff, count: 0xffff }

/** Where the directory of an archive is, and how many entries it has. */
export interface ZipDirectory {
  readonly offset: number
  readonly size: number
  readonly count: number
}

/**
 * Finds the directory of an archive from the records at the end of the file.
 * @see PKWARE APPNOTE.TXT 6.3.10, sections 4.3.14 to 4.3.16
 */
export async function findZipDirectory(reader: FileReader): Promise<ZipDirectory> {
  const file = reader.path
  const tailSize = Math.min(reader.size, bytesOf.end + longestComment)
  const tail = await reader.read(reader.size - tailSize, tailSize)
  const at = lastEndRecord(tail)
  if (at === undefined) {
    return malformed({
      file,
      field: 'end of file',
      expected: 'the directory of a zip archive',
      got: 'none',
      hint: 'files of torch older than 1.6, and truncated files, have none; save it again with torch.save',
    })
  }
  const end = tail.subarray(at)
  const fields = { disk: end.readUInt16LE(4), firstDisk: end.readUInt16LE(6), countHere: end.readUInt16LE(8) }
  const small = { offset: end.readUInt32LE(16), size: end.readUInt32LE(12), count: end.readUInt16LE(10) }
  if (fields.disk !== 0 || fields.firstDisk !== 0 || fields.countHere !== small.count) {
    malformed({ file, field: 'zip archive', expected: 'one volume', got: fields })
  }
  const isZip64 =
    small.offset === inZip64.size || small.size === inZip64.size || small.count === inZip64.count
  const endOffset = reader.size - tailSize + at
  const { directory, limit } = isZip64
    ? await readEnd64(reader, endOffset - bytesOf.locator64)
    : { directory: small, limit: endOffset }
  const valid = directory.offset + directory.size <= limit && directory.size <= largestDirectory
  // Each entry takes at least its fixed part, so a lying count cannot cost more than the directory is long.
  if (!valid || directory.count * directoryRecordBytes > directory.size) {
    malformed({ file, field: 'zip directory', expected: `a directory that ends by ${limit}`, got: directory })
  }
  return directory
}

function lastEndRecord(tail: Buffer): number | undefined {
  for (let at = tail.length - bytesOf.end; at >= 0; at--) {
    const commentEnds = at + bytesOf.end + tail.readUInt16LE(at + 20) === tail.length
    if (tail.readUInt32LE(at) === signature.end && commentEnds) return at
  }
  return undefined
}

async function readEnd64(
  reader: FileReader,
  locatorOffset: number,
): Promise<{ directory: ZipDirectory; limit: number }> {
  const file = reader.path
  if (locatorOffset < 0) malformed({ file, field: 'zip64 locator', expected: 'it in the file', got: 'none' })
  const locator = await reader.read(locatorOffset, bytesOf.locator64)
  if (locator.readUInt32LE(0) !== signature.locator64) {
    malformed({ file, field: 'zip64 locator', expected: 'its signature', got: locator.readUInt32LE(0) })
  }
  const limit = safeU64(locator, 8, file)
  if (limit + bytesOf.end64 > locatorOffset) {
    malformed({ file, field: 'zip64 locator', expected: `an offset before ${locatorOffset}`, got: limit })
  }
  const end = await reader.read(limit, bytesOf.end64)
  if (end.readUInt32LE(0) !== signature.end64) {
    malformed({ file, field: 'zip64 end record', expected: 'its signature', got: end.readUInt32LE(0) })
  }
  const directory = {
    offset: safeU64(end, 48, file),
    size: safeU64(end, 40, file),
    count: safeU64(end, 32, file),
  }
  return { directory, limit }
}

/** A 64-bit field, which must be a safe integer. */
export function safeU64(bytes: Buffer, at: number, file: string): number {
  const value = bytes.readBigUInt64LE(at)
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  return malformed({ file, field: 'zip64 record', expected: 'a size or offset below 2^53', got: value })
}
