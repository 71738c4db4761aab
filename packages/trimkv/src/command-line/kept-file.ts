import { stat } from 'node:fs/promises'
import type { ChatSession } from '@trimkv/engine'
import { fail } from '@trimkv/tensor'

/** What tells a file from one that took its place; undefined where there is none. */
async function markOf(path: string): Promise<string | undefined> {
  const status = await stat(path, { bigint: true }).catch(() => undefined)
  return status && [status.ino, status.size, status.mtimeNs].join()
}

/** The file that a conversation is kept in. */
export interface KeptFile {
  readonly path: string
  readonly isThere: boolean
  /**
   * Saves the conversation over what this process has read from the file or saved there, and over nothing else.
   * @throws TRIMKV_SESSION_MISMATCH when another process has saved there meanwhile; as `ChatSession.save`
   */
  save(chat: ChatSession): Promise<void>
}

/** To be called before the file is read. */
export async function keptFile(path: string): Promise<KeptFile> {
  let known = await markOf(path)
  return {
    path,
    isThere: known !== undefined,
    async save(chat) {
      const found = await markOf(path)
      if (found !== undefined && found !== known) {
        fail('TRIMKV_SESSION_MISMATCH', `another process has saved into ${path} meanwhile`, {
          why: ['its conversation stays there'],
          hint: 'keep each conversation in a file of its own',
          details: { file: path },
        })
      }
      await chat.save(path)
      known = await markOf(path)
    },
  }
}
