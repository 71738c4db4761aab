import { kvDtypes, type SeatState } from '@trimkv/cache'
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

type Unknown = Readonly<Record<string, unknown>>

function parsed(text: string): Unknown | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): boolean => typeof value === 'string'
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isListOf = (value: unknown, holds: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(holds)

const isMode = (mode: unknown): boolean =>
  isObject(mode) && (mode.mode === 'exact' || (mode.mode === 'buffered' && isCount(mode.buffer)))

function isSettings(settings: unknown): boolean {
  if (!isObject(settings)) return false
  const { policy, policyOptions, budget, mode, kvDtype, positionOffset, shape } = settings
  return (
    isText(policy) &&
    isObject(policyOptions) &&
    Object.values(policyOptions).every((option) => isText(option) || typeof option === 'number') &&
    (budget === null || isCount(budget)) &&
    isMode(mode) &&
    kvDtypes.some((known) => known === kvDtype) &&
    isCount(positionOffset) &&
    isObject(shape) &&
    Object.values(shape).every(isCount)
  )
}

const isSeat = (seat: unknown): boolean =>
  isObject(seat) &&
  isCount(seat.seen) &&
  typeof seat.stored === 'number' &&
  isCount(seat.pinned) &&
  typeof seat.victimWaits === 'boolean'

const isMessage = (message: unknown): boolean => isObject(message) && isText(message.role)

/** Whether a header has what {@link SessionHeader} promises: a checksum says that it is as written, not who wrote it. */
function isHeader({ model, gates, isa, settings, seats, messages, pending }: Unknown): boolean {
  return (
    isObject(model) &&
    isText(model.weights) &&
    (model.name === null || isText(model.name)) &&
    (gates === null || isText(gates)) &&
    isText(isa) &&
    isSettings(settings) &&
    isListOf(seats, isSeat) &&
    (messages === undefined || isListOf(messages, isMessage)) &&
    (pending === undefined || isListOf(pending, isCount))
  )
}

/**
 * What a file says about itself; its checksum vouches for the rest.
 * @throws TRIMKV_FORMAT when it is no session, or of another version
 */
export function parseSessionHeader({ path, metadata }: Pick<SealedFile, 'path' | 'metadata'>): SessionHeader {
  const text = metadata[sessionKey]
  const header = text === undefined ? undefined : parsed(text)
  const version = header?.version
  if (!header || typeof version !== 'number' || (version === sessionVersion && !isHeader(header))) {
    return fail('TRIMKV_FORMAT', `${path} is not a saved session`, { details: { file: path } })
  }
  if (version === sessionVersion) return header as unknown as SessionHeader
  return fail('TRIMKV_FORMAT', `${path} is a session of version ${version}`, {
    why: [`this program reads version ${sessionVersion}`],
    hint: version > sessionVersion ? 'use the program that wrote it, or a newer one' : 'read the text again',
    details: { file: path, version },
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
