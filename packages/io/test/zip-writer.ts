import { crc32 } from 'node:zlib'

export interface ZipFile {
  readonly name: string
  readonly data: Uint8Array
  /** What the directory says instead of the truth. */
  readonly lie?: {
    readonly method?: number
    readonly flags?: number
    readonly size?: number
    readonly crc32?: number
    readonly headerOffset?: number
    readonly localName?: string
  }
}

export interface ZipLies {
  readonly count?: number
  readonly directoryOffset?: number
  readonly directorySize?: number
  readonly disk?: number
  readonly comment?: string
}

interface Placed extends ZipFile {
  readonly offset: number
}

/** A zip archive of stored entries; with `zip64` every size and offset stands in the 64-bit records. */
export function writeZip(
  files: readonly ZipFile[],
  { zip64 = false, lies = {} }: { readonly zip64?: boolean; readonly lies?: ZipLies } = {},
): Buffer {
  const parts: Buffer[] = []
  let offset = 0
  const add = (part: Buffer): void => {
    parts.push(part)
    offset += part.length
  }
  const placed: Placed[] = files.map((file) => {
    const start = offset
    add(localHeader(file))
    add(Buffer.from(file.data))
    return { ...file, offset: start }
  })
  const directoryStart = offset
  for (const file of placed) add(directoryRecord(file, zip64))
  const truth = { offset: directoryStart, size: offset - directoryStart, count: files.length }
  const said = {
    offset: lies.directoryOffset ?? truth.offset,
    size: lies.directorySize ?? truth.size,
    count: lies.count ?? truth.count,
  }
  if (zip64) add(end64(said, offset))
  add(endRecord(zip64 ? { offset: 0xffffffff, size: 0xffffffff, count: 0xffff } : said, lies))
  return Buffer.concat(parts)
}

function localHeader({ name, data, lie }: ZipFile): Buffer {
  const localName = Buffer.from(lie?.localName ?? name)
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt32LE(crc32(data), 14)
  header.writeUInt32LE(data.length, 18)
  header.writeUInt32LE(data.length, 22)
  header.writeUInt16LE(localName.length, 26)
  return Buffer.concat([header, localName])
}

function directoryRecord({ name, data, lie, offset }: Placed, zip64: boolean): Buffer {
  const nameBytes = Buffer.from(name)
  const size = lie?.size ?? data.length
  const headerOffset = lie?.headerOffset ?? offset
  const extra = zip64 ? zip64Extra([size, size, headerOffset]) : Buffer.alloc(0)
  const record = Buffer.alloc(46)
  record.writeUInt32LE(0x02014b50, 0)
  record.writeUInt16LE(lie?.flags ?? 0, 8)
  record.writeUInt16LE(lie?.method ?? 0, 10)
  record.writeUInt32LE(lie?.crc32 ?? crc32(data), 16)
  record.writeUInt32LE(zip64 ? 0xffffffff : size, 20)
  record.writeUInt32LE(zip64 ? 0xffffffff : size, 24)
  record.writeUInt16LE(nameBytes.length, 28)
  record.writeUInt16LE(extra.length, 30)
  record.writeUInt32LE(zip64 ? 0xffffffff : headerOffset, 42)
  return Buffer.concat([record, nameBytes, extra])
}

function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length)
  extra.writeUInt16LE(1, 0)
  extra.writeUInt16LE(8 * values.length, 2)
  for (const [i, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i)
  return extra
}

function end64({ offset, size, count }: { offset: number; size: number; count: number }, at: number): Buffer {
  const end = Buffer.alloc(56 + 20)
  end.writeUInt32LE(0x06064b50, 0)
  end.writeBigUInt64LE(44n, 4)
  end.writeBigUInt64LE(BigInt(count), 24)
  end.writeBigUInt64LE(BigInt(count), 32)
  end.writeBigUInt64LE(BigInt(size), 40)
  end.writeBigUInt64LE(BigInt(offset), 48)
  end.writeUInt32LE(0x07064b50, 56)
  end.writeBigUInt64LE(BigInt(at), 64)
  end.writeUInt32LE(1, 72)
  return end
}

function endRecord(
  { offset, size, count }: { offset: number; size: number; count: number },
  lies: ZipLies,
): Buffer {
  const comment = Buffer.from(lies.comment ?? '')
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(lies.disk ?? 0, 4)
  end.writeUInt16LE(count, 8)
  end.writeUInt16LE(count, 10)
  end.writeUInt32LE(size, 12)
  end.writeUInt32LE(offset, 16)
  end.writeUInt16LE(comment.length, 20)
  return Buffer.concat([end, comment])
}
