import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'

export interface TemporaryFolder {
  /** Absolute path of an entry of the folder. */
  path(name: string): string
  /** Writes a file and returns its path; an object is written as JSON. */
  write(name: string, content: string | Uint8Array | object): string
  /** A fresh folder inside, with these files. */
  folder(files: Readonly<Record<string, string | Uint8Array | object>>): string
}

/** A folder for the tests of one file, deleted after them. */
export function useTemporaryFolder(): TemporaryFolder {
  let root = ''
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'trimkv-io-'))
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  function write(path: string, content: string | Uint8Array | object): string {
    const isRaw = typeof content === 'string' || content instanceof Uint8Array
    writeFileSync(path, isRaw ? content : JSON.stringify(content))
    return path
  }

  return {
    path: (name) => join(root, name),
    write: (name, content) => write(join(root, name), content),
    folder(files) {
      const folder = mkdtempSync(join(root, 'folder-'))
      for (const [name, content] of Object.entries(files)) write(join(folder, name), content)
      return folder
    },
  }
}
