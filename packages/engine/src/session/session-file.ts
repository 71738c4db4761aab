import { type SeatState, type SeatTensor, seatTensors, seatToFill, slotCounts } from '@trimkv/cache'
import {
  type ChatMessage,
  openSealedSafetensors,
  type SealedFile,
  type TensorOnDemand,
  writeSealedSafetensors,
} from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import type { Model } from '../load-model.ts'
import type { CacheOptions } from './cache-options.ts'
import { createSession } from './create-session.ts'
import type { DecoderSession, SessionOptions } from './decoder-session.ts'
import { parseSessionHeader, type SessionHeader, sessionKey, sessionVersion } from './session-header.ts'
import {
  checkSettings,
  optionsToRestore,
  refuseSession,
  type SessionSettings,
  sessionSettings,
} from './session-settings.ts'

/** What is kept beside the cache. */
export interface SessionContent {
  /** Ids that each sequence has read. */
  readonly ids: readonly (readonly number[])[]
  /** A conversation. */
  readonly messages?: readonly ChatMessage[]
  /** Ids of its last answer that were chosen and not read; absent where its text does not stand for its ids. */
  readonly pending?: readonly number[]
}

const settingsOf = ({ model, options, cache }: DecoderSession): SessionSettings =>
  sessionSettings(model.spec, options, cache.policy.eviction === undefined)

const seatPrefix = (seat: number): string => `seats.${seat}.`

function ownTensors(session: DecoderSession, seat: number, ids: readonly number[]): TensorOnDemand[] {
  const rotary = session.rotary(seat)
  return [
    { name: 'ids', dtype: 'i32', shape: [ids.length], read: () => Int32Array.from(ids) },
    { name: 'rotary', dtype: 'f32', shape: [rotary.length], read: () => rotary },
  ]
}

const named = (seat: number, tensors: readonly TensorOnDemand[]): TensorOnDemand[] =>
  tensors.map((tensor) => ({
    ...tensor,
    name: seatPrefix(seat) + tensor.name,
    read: () => tensor.read(),
  }))

/**
 * Writes all sequences of a session to one file, filled slots only: safetensors with a SHA-256 over every byte. Readers see
 * the old file or the new one, also when the process is killed or the disk is full.
 * @throws TRIMKV_OPTION when the ids are not those the cache has read, TRIMKV_DISK, TRIMKV_IO; `signal.reason` when aborted
 */
export async function saveSession(
  session: DecoderSession,
  path: string,
  content: SessionContent & { readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { model, cache } = session
  const { ids, messages, pending, signal } = content
  const seats = Array.from({ length: cache.batch }, (_, seat) => cache.seatAccess(seat).state)
  for (const [seat, { seen }] of seats.entries()) {
    if (ids[seat]?.length === seen) continue
    fail(
      'TRIMKV_OPTION',
      `Sequence ${seat} has read ${seen} tokens and ${ids[seat]?.length ?? 0} ids are given`,
    )
  }
  const fingerprint = await model.fingerprint()
  const header: SessionHeader = {
    version: sessionVersion,
    model: { name: model.name ?? null, weights: fingerprint.weights },
    gates: cache.needs.logBeta ? (fingerprint.gates ?? null) : null,
    isa: model.device.isa,
    settings: settingsOf(session),
    seats,
    ...(messages && { messages }),
    ...(pending && { pending }),
  }
  const tensors = seats.flatMap((_, seat) =>
    named(seat, [...ownTensors(session, seat, ids[seat]!), ...seatTensors(cache, seat)]),
  )
  await writeSealedSafetensors(path, tensors, {
    metadata: { [sessionKey]: JSON.stringify(header) },
    signal,
  })
}

/** A session that was put back. */
export interface RestoredSession {
  readonly session: DecoderSession
  readonly ids: readonly (readonly number[])[]
  readonly messages: readonly ChatMessage[] | undefined
  readonly pending: readonly number[] | undefined
}

export interface RestoreOptions extends CacheOptions {
  /** Tokens of the longest sequence when it ends; matters where nothing is evicted. Default: the model's limit. */
  readonly maxTokens?: number
  readonly signal?: AbortSignal | undefined
}

async function checkModel(model: Model, file: string, header: SessionHeader): Promise<void> {
  const { weights, gates } = await model.fingerprint()
  if (weights !== header.model.weights) {
    refuseSession(file, {
      field: 'model',
      name: 'model',
      saved: `weights ${header.model.weights.slice(0, 16)}${header.model.name ? ` (${header.model.name})` : ''}`,
      wanted: `weights ${weights.slice(0, 16)}${model.name ? ` (${model.name})` : ''}`,
    })
  }
  // Gates leave their mark in the cache only where a policy reads them.
  if (header.gates === null || header.gates === gates) return
  refuseSession(file, {
    field: 'gates',
    name: 'set of gates',
    saved: `gates ${header.gates.slice(0, 16)}`,
    wanted: gates === undefined ? 'none' : `gates ${gates.slice(0, 16)}`,
  })
}

/** What of a seat is filled from a file. */
type Filled = Omit<SeatTensor, 'read'>

async function readInto(file: SealedFile, seat: number, tensor: Filled): Promise<void> {
  const name = seatPrefix(seat) + tensor.name
  const entry = file.tensors.get(name)
  if (entry?.dtype !== tensor.dtype || entry.shape.join() !== tensor.shape.join()) {
    fail('TRIMKV_FORMAT', `${file.path}: tensor "${name}" does not fit the cache`, {
      why: [
        `expected ${tensor.dtype} [${tensor.shape.join(', ')}]`,
        `got ${entry ? `${entry.fileDtype} [${entry.shape.join(', ')}]` : 'none'}`,
      ],
      details: { file: file.path, name },
    })
  }
  tensor.write(await file.read(name))
}

async function restoreSeat(
  file: SealedFile,
  session: DecoderSession,
  { seat, state, signal }: { seat: number; state: SeatState; signal: AbortSignal | undefined },
): Promise<readonly number[]> {
  const counts: Int32Array[] = []
  for (const layer of slotCounts(session.cache, seat).keys())
    counts.push((await file.read(`${seatPrefix(seat)}layers.${layer}.count`)) as Int32Array)
  const { tensors, finish } = seatToFill(session.cache, seat, counts)
  let ids: readonly number[] = []
  const idsOfSeat: Filled = {
    name: 'ids',
    dtype: 'i32',
    // Ids of another number than the cache has read would be taken for tokens at other positions.
    shape: [state.seen],
    write(values) {
      ids = Array.from(values)
    },
  }
  const rotary: Filled = {
    name: 'rotary',
    dtype: 'f32',
    shape: [session.model.spec.rope.rotaryDim / 2],
    write: (values) => session.adopt(seat, values as Float32Array),
  }
  for (const tensor of [...tensors, idsOfSeat, rotary]) {
    signal?.throwIfAborted()
    await readInto(file, seat, tensor)
  }
  finish(state)
  return ids
}

function checkPin(file: string, seats: readonly SeatState[], wanted: number | undefined): void {
  const other = seats.find(({ pinned }) => wanted !== undefined && pinned !== wanted)
  if (!other) return
  refuseSession(file, {
    field: 'pin',
    name: 'number of pinned tokens',
    saved: `${other.pinned}`,
    wanted: `${wanted}`,
  })
}

/** Budgets up to this are taken from files whatever the model. */
const leastRoom = 4096

/** Slots per head that a file may ask for by itself: more than any of this model's sequences fills is a mistake or an attack. */
function checkSize(file: string, { budget, mode }: SessionHeader['settings'], maxTokens: number): void {
  const slots = (budget ?? 0) + (mode.mode === 'buffered' ? mode.buffer : 1)
  const most = 2 * Math.max(maxTokens, leastRoom)
  if (slots <= most) return
  fail('TRIMKV_SESSION_MISMATCH', `${file} asks for a cache of ${slots} slots per head`, {
    why: [`sequences of this model have at most ${maxTokens} tokens`],
    hint: 'give its budget again if it is meant',
    details: { field: 'budget', saved: budget, most },
  })
}

async function restoreFrom(
  model: Model,
  { file, header }: { file: SealedFile; header: SessionHeader },
  given: RestoreOptions,
): Promise<RestoredSession> {
  const { maxTokens = model.spec.maxLength, signal, ...options } = given
  const size: Pick<SessionOptions, 'batch' | 'maxTokens' | 'grows'> = {
    batch: header.seats.length,
    maxTokens: Math.max(maxTokens, ...header.seats.map(({ seen }) => seen)),
    grows: true,
  }
  if (options.budget === undefined) checkSize(file.path, header.settings, size.maxTokens)
  const pin = header.seats[0]?.pinned ?? 0
  checkPin(file.path, header.seats, options.pin)
  const session = createSession(model, { pin, ...optionsToRestore(header.settings, options) }, size)
  try {
    checkSettings(file.path, header.settings, settingsOf(session))
    const ids: (readonly number[])[] = []
    for (const [seat, state] of header.seats.entries())
      ids.push(await restoreSeat(file, session, { seat, state, signal }))
    return { session, ids, messages: header.messages, pending: header.pending }
  } catch (error) {
    session[Symbol.dispose]()
    throw error
  }
}

/**
 * Puts the sequences of a file back into a new cache. They go on bit for bit as they would have without the file, on the same
 * instruction set. Cache options that are not given are those of the file.
 * @throws TRIMKV_NOT_FOUND; TRIMKV_FORMAT when the file is cut off, altered, of another version or no session;
 *   TRIMKV_SESSION_MISMATCH for another model, gates or cache option; as `createSession`; `signal.reason` when aborted.
 *   Nothing is left behind
 */
export async function restoreSession(
  model: Model,
  path: string,
  options: RestoreOptions = {},
): Promise<RestoredSession> {
  await using file = await openSealedSafetensors(path)
  const header = parseSessionHeader(file)
  await file.verify(options.signal)
  await checkModel(model, path, header)
  return await restoreFrom(model, { file, header }, options)
}
