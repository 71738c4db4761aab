import type { FileReader } from './file-reader.ts'
import { malformed } from './malformed.ts'
import { directoryRecordBytes, findZipDirectory, inZip64, safeU64 } from './zip-end-record.ts'

/** One file stored in a zip archive, as its central directory says. */
export interface ZipEntry {
  readonly name: string
  readonly size: number
  readonly crc32: number
  readonly headerOffset: number
}

export interface ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>
  /** Where the bytes of an entry begin in the file. */
  locate(entry: ZipEntry): Promise<number>
}

const signature = { local: 0x04034b50, entry: 0x02014b50 }
const localHeaderBytes = 30

const encryptedFlags = 0x1 | 0x40 | 0x2000
const stored = 0
const methodNames: Readonly<Record<number, string>> = {
  8: 'deflate',
  9: 'deflate64',
  12: 'bzip2',
  14: 'lzma',
  93: 'zstd',
}

/**
 * Reads the directory of a zip archive of stored (not compressed) entries, with or without zip64.
 * @throws TrimError `TRIMKV_FORMAT` when an offset leaves the file, or for compression, encryption or several volumes
 * @see PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3
 */
export async function openZipArchive(reader: FileReader): Promise<ZipArchive> {
  const directory = await findZipDirectory(reader)
  const bytes = await reader.read(directory.offset, directory.size)
  const entries = new Map<string, ZipEntry>()
  let at = 0
  for (let index = 0; index < directory.count; index++) {
    const { entry, length } = parseEntry(bytes.subarray(at), {
      file: reader.path,
      index,
      end: directory.offset,
    })
    if (entries.has(entry.name)) {
      malformed({ file: reader.path, field: 'zip directory', expected: 'every name once', got: entry.name })
    }
    entries.set(entry.name, entry)
    at += length
  }
  if (at !== bytes.length) {
    malformed({ file: reader.path, field: 'zip directory size', expected: `${at} bytes`, got: bytes.length })
  }
  return { entries, locate: (entry) => locateData(reader, entry, directory.offset) }
}

function parseEntry(
  bytes: Buffer,
  { file, index, end }: { file: string; index: number; end: number },
): { entry: ZipEntry; length: number } {
  const field = `zip entry ${index}`
  if (bytes.length < directoryRecordBytes || bytes.readUInt32LE(0) !== signature.entry) {
    malformed({ file, field, expected: 'a directory record', got: 'other bytes' })
  }
  const nameLength = bytes.readUInt16LE(28)
  const extraLength = bytes.readUInt16LE(30)
  const length = directoryRecordBytes + nameLength + extraLength + bytes.readUInt16LE(32)
  if (length > bytes.length) malformed({ file, field, expected: `${length} bytes`, got: bytes.length })

  const name = bytes.toString('utf8', directoryRecordBytes, directoryRecordBytes + nameLength)
  const method = bytes.readUInt16LE(10)
  if ((bytes.readUInt16LE(8) & encryptedFlags) !== 0) {
    malformed({ file, field: `zip entry ${name}`, expected: 'a plain entry', got: 'an encrypted one' })
  }
  if (method !== stored) {
    malformed({
      file,
      field: `zip entry ${name}`,
      expected: 'a stored entry, as torch.save writes them',
      got: methodNames[method] ?? `compression method ${method}`,
      hint: 'the archive was compressed again after it was saved',
    })
  }
  const extra = bytes.subarray(
    directoryRecordBytes + nameLength,
    directoryRecordBytes + nameLength + extraLength,
  )
  const sizes = readSizes(bytes, extra, file)
  if (sizes.size !== sizes.packedSize || sizes.headerOffset + localHeaderBytes + sizes.size > end) {
    malformed({ file, field: `zip entry ${name}`, expected: `stored bytes that end by ${end}`, got: sizes })
  }
  return {
    entry: { name, size: sizes.size, crc32: bytes.readUInt32LE(16), headerOffset: sizes.headerOffset },
    length,
  }
}

/** Sizes and offset of a directory record; those too large for 32 bits stand in the zip64 extra field, in this order. */
function readSizes(record: Buffer, extra: Buffer, file: string) {
  let wide = zip64Field(extra)
  const take = (value: number): number => {
    if (value !== inZip64.size) return value
    if (wide.length < 8)
      malformed({ file, field: 'zip64 extra field', expected: '8 more bytes', got: wide.length })
    const taken = safeU64(wide, 0, file)
    wide = wide.subarray(8)
    return taken
  }
  const size = take(record.readUInt32LE(24))
  const packedSize = take(record.readUInt32LE(20))
  return { size, packedSize, headerOffset: take(record.readUInt32LE(42)) }
}

function zip64Field(extra: Buffer): Buffer {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === 1) return extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2))
  }
  return extra.subarray(0, 0)
}

async function locateData(reader: FileReader, entry: ZipEntry, end: number): Promise<number> {
  const file = reader.path
  const field = `zip entry ${entry.name}`
  const header = await reader.read(entry.headerOffset, localHeaderBytes)
  if (header.readUInt32LE(0) !== signature.local || header.readUInt16LE(8) !== stored) {
    malformed({
      file,
      field,
      expected: `a header of a stored entry at ${entry.headerOffset}`,
      got: 'other bytes',
    })
  }
  const nameLength = header.readUInt16LE(26)
  const name = await reader.read(entry.headerOffset + localHeaderBytes, nameLength)
  if (name.toString('utf8') !== entry.name) {
    malformed({ file, field, expected: 'the same name in header and directory', got: name.toString('utf8') })
  }
  const start = entry.headerOffset + localHeaderBytes + nameLength + header.readUInt16LE(28)
  if (start + entry.size > end) {
    malformed({ file, field, expected: `data that ends by ${end}`, got: start + entry.size })
  }
  return start
}
