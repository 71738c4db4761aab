import { lstat, open, stat } from 'node:fs/promises'
import { fail } from '@trimkv/tensor'
import { malformed } from './malformed.ts'

/** A regular file open for positioned reads. */
export interface FileReader extends AsyncDisposable {
  readonly path: string
  readonly size: number
  /**
   * Bytes `[offset, offset + length)`.
   * @throws TrimError `TRIMKV_FORMAT` when the file ends before that
   */
  read(offset: number, length: number): Promise<Buffer>
  /** Fills `target` from `offset` on; for tensors, whose memory the caller allocates. */
  readInto(target: Uint8Array, offset: number): Promise<void>
}

/** One read call of Node takes at most 2 GiB - 1. */
const largestRead = 1 << 30

/**
 * Opens a file for reading. Directories, pipes and devices are refused, so that a path can neither block nor be endless.
 * @throws TrimError `TRIMKV_NOT_FOUND` when there is no such file, `TRIMKV_IO` when it cannot be read
 */
export async function openFileReader(path: string): Promise<FileReader> {
  const { size, handle } = await openRegularFile(path)

  async function readInto(target: Uint8Array, offset: number): Promise<void> {
    let done = 0
    while (done < target.length) {
      const length = Math.min(target.length - done, largestRead)
      const { bytesRead } = await handle.read(target, done, length, offset + done)
      if (bytesRead === 0) {
        malformed({
          file: path,
          field: `bytes ${offset} to ${offset + target.length}`,
          expected: `${target.length} bytes`,
          got: done,
          hint: 'the file is truncated; fetch it again',
        })
      }
      done += bytesRead
    }
  }

  return {
    path,
    size,
    readInto,
    async read(offset, length) {
      const bytes = Buffer.alloc(length)
      await readInto(bytes, offset)
      return bytes
    },
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

async function openRegularFile(path: string) {
  try {
    const status = await stat(path)
    if (status.isFile()) return { size: status.size, handle: await open(path, 'r') }
  } catch (cause) {
    return readFailure(path, cause)
  }
  return fail('TRIMKV_NOT_FOUND', `${path} is not a regular file`, { details: { file: path } })
}

async function readFailure(path: string, cause: unknown): Promise<never> {
  const code = (cause as NodeJS.ErrnoException).code
  const absent = code === 'ENOENT' || code === 'ENOTDIR'
  const isLink =
    absent &&
    (await lstat(path)
      .then((found) => found.isSymbolicLink())
      .catch(() => false))
  const why = isLink ? ['it is a link to what is not there'] : []
  return absent
    ? fail('TRIMKV_NOT_FOUND', `${path} does not exist`, { why, details: { file: path }, cause })
    : fail('TRIMKV_IO', `${path} cannot be read`, { why: [String(code)], details: { file: path }, cause })
}
