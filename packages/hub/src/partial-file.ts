import { createHash, type Hash } from 'node:crypto'
import { constants, type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolder, storing, succeeds } from './storage-failure.ts'

const readBytes = 1024 * 1024

/** Content that is known before it is there. */
export interface KnownContent {
  /** Its SHA-256, or as git names it, the SHA-1 of a header and the content: 64 or 40 hexadecimal digits. */
  readonly oid: string
  readonly size: number
}

function startHash({ oid, size }: KnownContent): Hash {
  return oid.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
}

/**
 * A file on its way, which a later process can go on with. It is written at fixed places and replaced instead of cut, and
 * each writer brings to its place only what it wrote itself, so that two writers of the same content do each other no harm.
 */
export class PartialFile implements AsyncDisposable {
  readonly path: string
  readonly #content: KnownContent
  #handle: FileHandle
  #hash: Hash
  #length = 0
  #restarts = 0

  private constructor(path: string, content: KnownContent, handle: FileHandle) {
    this.path = path
    this.#content = content
    this.#handle = handle
    this.#hash = startHash(content)
  }

  /** Opens what an earlier download left at `path`, or an empty file. */
  static async open(path: string, content: KnownContent): Promise<PartialFile> {
    return storing(path, async () => {
      await makeFolder(dirname(path))
      const file = new PartialFile(path, content, await openToWrite(path))
      try {
        await file.#readPresent()
      } catch (error) {
        await file[Symbol.asyncDispose]()
        throw error
      }
      return file
    })
  }

  /** Bytes that are there. */
  get length(): number {
    return this.#length
  }

  /** How often it began anew. */
  get restarts(): number {
    return this.#restarts
  }

  async #readPresent(): Promise<void> {
    const buffer = Buffer.allocUnsafe(readBytes)
    for (;;) {
      const { bytesRead } = await this.#handle.read(buffer, 0, readBytes, this.#length)
      if (bytesRead === 0) break
      this.#hash.update(buffer.subarray(0, bytesRead))
      this.#length += bytesRead
      if (this.#length > this.#content.size) return this.restart()
    }
  }

  /** Begins anew, with an empty file. */
  restart(): Promise<void> {
    return storing(this.path, async () => {
      await this.#handle.close()
      await rm(this.path, { force: true })
      this.#handle = await openToWrite(this.path)
      this.#hash = startHash(this.#content)
      this.#length = 0
      this.#restarts++
    })
  }

  append(bytes: Uint8Array): Promise<void> {
    return storing(this.path, async () => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, this.#length)
        this.#hash.update(bytes.subarray(done, done + bytesWritten))
        this.#length += bytesWritten
        done += bytesWritten
      }
    })
  }

  /** Whether all that is there is the content. */
  isRight(): boolean {
    return this.#length === this.#content.size && this.#hash.copy().digest('hex') === this.#content.oid
  }

  /**
   * Brings it to its place, whole, also after a crash.
   * @returns false when another writer has put its file in the place of this one, or brought this one to its place
   */
  finish(path: string): Promise<boolean> {
    return storing(path, async () => {
      await this.#handle.sync()
      return (await this.#isStillThere()) && (await succeeds(rename(this.path, path), 'ENOENT'))
    })
  }

  async #isStillThere(): Promise<boolean> {
    const own = await this.#handle.stat({ bigint: true })
    const there = await stat(this.path, { bigint: true }).catch(() => undefined)
    return there?.ino === own.ino && there.dev === own.dev
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }
}

const openToWrite = (path: string): Promise<FileHandle> =>
  open(path, constants.O_RDWR | constants.O_CREAT, 0o644)
