import type { FileReader } from '@trimkv/io'
import { fail } from '@trimkv/tensor'

/** Where a line is. */
export interface LineRef {
  /** Index of its file. */
  readonly file: number
  readonly offset: number
  /** In bytes, without the line feed. */
  readonly length: number
  /** In its file, from 1. */
  readonly line: number
  /** The line itself, where it is short and was just passed: reading it again would take longer than all else. */
  readonly text?: string
}

/** Where reading stands. */
export interface ScanPosition {
  readonly file: number
  readonly offset: number
  readonly line: number
  /** How many lines that hold something were passed, in all files. */
  readonly index: number
}

export const scanStart: ScanPosition = { file: 0, offset: 0, line: 1, index: 0 }

/** Finds the lines of files one by one, and reads those that are asked for. */
export interface LineScanner {
  readonly position: ScanPosition
  /** The next line that is not blank, and how many there were before it; undefined after the last one. */
  next(): Promise<{ readonly ref: LineRef; readonly index: number } | undefined>
  moveTo(position: ScanPosition): void
  /** @throws TrimError `TRIMKV_FORMAT` with file and line when it is not UTF-8 or over 256 MiB */
  read(ref: LineRef): Promise<string>
}

const chunkBytes = 256 * 1024
const shortLine = 4096
const largestLine = 256 * 1024 * 1024
const lineFeed = 0x0a
const byteOrderMark = Buffer.of(0xef, 0xbb, 0xbf)
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @param readers the files; closing them is left to the caller */
export function scanLines(readers: readonly FileReader[]): LineScanner {
  let position = scanStart
  let chunk: { file: number; offset: number; bytes: Buffer } = { file: -1, offset: 0, bytes: Buffer.alloc(0) }

  /** Bytes of the file from `offset` on; none at its end. */
  async function bytesFrom(file: number, offset: number): Promise<Buffer> {
    const end = chunk.offset + chunk.bytes.length
    if (chunk.file !== file || offset < chunk.offset || offset >= end) {
      const reader = readers[file]!
      chunk = { file, offset, bytes: await reader.read(offset, Math.min(chunkBytes, reader.size - offset)) }
    }
    return chunk.bytes.subarray(offset - chunk.offset)
  }

  /** The line at `start`: where it ends, and whether it holds anything. Its bytes are passed, not kept. */
  async function measure(file: number, start: number) {
    let end = start
    let isBlank = true
    for (;;) {
      const bytes = await bytesFrom(file, end)
      const feed = bytes.indexOf(lineFeed)
      const part = feed < 0 ? bytes : bytes.subarray(0, feed)
      isBlank &&= isWhiteSpace(part)
      end += part.length
      if (feed >= 0 || bytes.length === 0) return { end, isBlank, isLast: feed < 0 }
    }
  }

  function withText(ref: LineRef): LineRef {
    const start = ref.offset - chunk.offset
    if (ref.length > shortLine || chunk.file !== ref.file || start < 0) return ref
    try {
      return { ...ref, text: utf8.decode(chunk.bytes.subarray(start, start + ref.length)) }
    } catch {
      // Reading it will say what is wrong.
      return ref
    }
  }

  return {
    get position() {
      return position
    },
    moveTo(to) {
      position = to
    },
    async next() {
      while (position.file < readers.length) {
        const { file, line, index } = position
        let { offset } = position
        if (offset === 0 && (await bytesFrom(file, 0)).subarray(0, 3).equals(byteOrderMark)) offset = 3
        const { end, isBlank, isLast } = await measure(file, offset)
        const passed = index + (isBlank ? 0 : 1)
        position = isLast
          ? { file: file + 1, offset: 0, line: 1, index: passed }
          : { file, offset: end + 1, line: line + 1, index: passed }
        if (!isBlank) return { ref: withText({ file, offset, length: end - offset, line }), index }
      }
      return undefined
    },
    async read({ file, offset, length, line, text }) {
      if (text !== undefined) return text
      const reader = readers[file]!
      const place = { file: reader.path, line }
      if (length > largestLine) badLine(place, `expected at most ${largestLine} bytes, got ${length}`)
      const bytes = await reader.read(offset, length)
      try {
        return utf8.decode(bytes)
      } catch (cause) {
        return badLine(place, 'expected UTF-8, got other bytes', cause)
      }
    },
  }
}

/** Space, tab and carriage return, which JSON allows around a value. */
const isWhiteSpace = (bytes: Buffer): boolean =>
  bytes.every((byte) => byte === 32 || byte === 9 || byte === 13)

/** A line, as a message names it. */
export interface LinePlace {
  /** Path of the file. */
  readonly file: string
  readonly line: number
}

/** Reports a line that cannot be used. */
export function badLine({ file, line }: LinePlace, why: string, cause?: unknown): never {
  return fail('TRIMKV_FORMAT', `${file}:${line} is no document to train on`, {
    why: [why],
    details: { file, line },
    ...(cause === undefined ? {} : { cause }),
  })
}
