import { crc32 } from 'node:zlib'
import { fail } from '@trimkv/tensor'
import { directoryRecordBytes, inZip64 } from './zip-end-record.ts'

/** A file of an archive to write. */
export interface ZipRecord {
  readonly name: string
  readonly data: NodeJS.ArrayBufferView
}

const signature = {
  local: 0x04034b50,
  descriptor: 0x08074b50,
  entry: 0x02014b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  end: 0x06054b50,
}
const bytesOf = { local: 30, descriptor: 16, end64: 56, locator64: 20, end: 22 }

/** Every file begins at a multiple of this. */
const alignment = 64
/** Bit 3: checksum and sizes follow the data; bit 11: names are UTF-8. */
const flags = 0x0808
/** Made by version 3.0 on Unix, for readers from version 4.5 on: what torch puts into the zip64 end record. */
const versions = { madeBy: 0x031e, needed: 0x002d }

interface Placed {
  readonly record: ZipRecord
  readonly crc32: number
  readonly offset: number
}

/**
 * A zip archive as torch makes it: files stored as they are, each beginning at a multiple of 64 bytes by padding in an
 * extra field `FB`, checksums behind the data, no times, and end records with and without zip64.
 * @returns the archive in pieces, in order; data is not copied
 * @throws TrimError `TRIMKV_UNSUPPORTED` from 4 GiB on
 * @see PKWARE APPNOTE.TXT 6.3.10, section 4.3; pytorch caffe2/serialize/inline_container.cc
 */
export function* zipPieces(records: readonly ZipRecord[]): Generator<ArrayBufferView> {
  const placed: Placed[] = []
  let offset = 0
  for (const record of records) {
    const header = localHeader(record.name, offset)
    const { buffer, byteOffset, byteLength } = record.data
    const checksum = crc32(new Uint8Array(buffer, byteOffset, byteLength))
    placed.push({ record, crc32: checksum, offset })
    offset += header.length + byteLength + bytesOf.descriptor
    if (offset >= inZip64.size) fail('TRIMKV_UNSUPPORTED', 'a torch file cannot be 4 GiB or longer here')
    yield header
    yield record.data
    yield descriptor(checksum, byteLength)
  }
  const directory = Buffer.concat(placed.map(directoryRecord))
  yield directory
  yield endRecords({ count: records.length, size: directory.length, offset })
}

function localHeader(name: string, offset: number): Buffer {
  const nameBytes = Buffer.from(name)
  const unpadded = offset + bytesOf.local + nameBytes.length + 4
  const padding = Math.ceil(unpadded / alignment) * alignment - unpadded
  const header = Buffer.alloc(bytesOf.local)
  header.writeUInt32LE(signature.local, 0)
  header.writeUInt16LE(flags, 6)
  header.writeUInt16LE(nameBytes.length, 26)
  header.writeUInt16LE(4 + padding, 28)
  const extra = Buffer.alloc(4 + padding, 'Z')
  extra.write('FB', 0, 'latin1')
  extra.writeUInt16LE(padding, 2)
  return Buffer.concat([header, nameBytes, extra])
}

function descriptor(checksum: number, size: number): Buffer {
  const bytes = Buffer.alloc(bytesOf.descriptor)
  bytes.writeUInt32LE(signature.descriptor, 0)
  bytes.writeUInt32LE(checksum, 4)
  bytes.writeUInt32LE(size, 8)
  bytes.writeUInt32LE(size, 12)
  return bytes
}

function directoryRecord({ record: { name, data }, crc32: checksum, offset }: Placed): Buffer {
  const nameBytes = Buffer.from(name)
  const bytes = Buffer.alloc(directoryRecordBytes)
  bytes.writeUInt32LE(signature.entry, 0)
  bytes.writeUInt16LE(flags, 8)
  bytes.writeUInt32LE(checksum, 16)
  bytes.writeUInt32LE(data.byteLength, 20)
  bytes.writeUInt32LE(data.byteLength, 24)
  bytes.writeUInt16LE(nameBytes.length, 28)
  bytes.writeUInt32LE(offset, 42)
  return Buffer.concat([bytes, nameBytes])
}

function endRecords({ count, size, offset }: { count: number; size: number; offset: number }): Buffer {
  const end64 = Buffer.alloc(bytesOf.end64)
  end64.writeUInt32LE(signature.end64, 0)
  end64.writeBigUInt64LE(BigInt(bytesOf.end64 - 12), 4)
  end64.writeUInt16LE(versions.madeBy, 12)
  end64.writeUInt16LE(versions.needed, 14)
  end64.writeBigUInt64LE(BigInt(count), 24)
  end64.writeBigUInt64LE(BigInt(count), 32)
  end64.writeBigUInt64LE(BigInt(size), 40)
  end64.writeBigUInt64LE(BigInt(offset), 48)
  const locator = Buffer.alloc(bytesOf.locator64)
  locator.writeUInt32LE(signature.locator64, 0)
  locator.writeBigUInt64LE(BigInt(offset + size), 8)
  locator.writeUInt32LE(1, 16)
  const end = Buffer.alloc(bytesOf.end)
  end.writeUInt32LE(signature.end, 0)
  end.writeUInt16LE(Math.min(count, inZip64.count), 8)
  end.writeUInt16LE(Math.min(count, inZip64.count), 10)
  end.writeUInt32LE(size, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([end64, locator, end])
}
