import type { SeatState } from '@trimkv/cache'
import { type ChatMessage, openSealedSafetensors, type SealedFile } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import type { SessionSettings } from './session-settings.ts'

/** Name of the metadata that says what a session file holds. */
export const sessionKey = 'trimkv-session'

/** Raised when an older program could not read what a newer one writes, or would read it wrongly. */
export const sessionVersion = 1

/** What a session file says about itself. */
export interface SessionHeader {
  readonly version: number
  readonly model: { readonly name: string | null; readonly weights: string }
  /** Digest of the gates, where the policy reads them. */
  readonly gates: string | null
  /** Instruction set of the kernels that wrote it. */
  readonly isa: string
  readonly settings: SessionSettings
  readonly seats: readonly SeatState[]
  readonly messages?: readonly ChatMessage[]
  readonly pending?: readonly number[]
}

function parsed(text: string): Partial<SessionHeader> | undefined {
  try {
    return JSON.parse(text) as Partial<SessionHeader>
  } catch {
    return undefined
  }
}

/**
 * What a file says about itself; its checksum vouches for the rest.
 * @throws TRIMKV_FORMAT when it is no session, or of another version
 */
export function parseSessionHeader({ path, metadata }: Pick<SealedFile, 'path' | 'metadata'>): SessionHeader {
  const text = metadata[sessionKey]
  const header = text === undefined ? undefined : parsed(text)
  if (header?.version === sessionVersion) return header as SessionHeader
  if (header?.version === undefined) {
    return fail('TRIMKV_FORMAT', `${path} is not a saved session`, { details: { file: path } })
  }
  return fail('TRIMKV_FORMAT', `${path} is a session of version ${header.version}`, {
    why: [`this program reads version ${sessionVersion}`],
    hint:
      header.version > sessionVersion
        ? 'use the program that wrote it, or a newer one'
        : 'read the text again',
    details: { file: path, version: header.version },
  })
}

/**
 * Reads what a session file says about itself, without its tensors.
 * @throws TRIMKV_NOT_FOUND, TRIMKV_FORMAT
 */
export async function readSessionHeader(path: string): Promise<SessionHeader> {
  await using file = await openSealedSafetensors(path)
  return parseSessionHeader(file)
}
