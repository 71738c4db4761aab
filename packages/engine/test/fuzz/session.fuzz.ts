import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type FuzzTarget,
  fuzzTarget,
  mutateBytes,
  mutateJson,
  pick,
  type SeededRandom,
} from '@trimkv/testing'
import { loadModel } from '../../src/load-model.ts'
import type { CacheOptions } from '../../src/session/cache-options.ts'
import { createSession } from '../../src/session/create-session.ts'
import { prefill } from '../../src/session/prefill.ts'
import { restoreSession, saveSession } from '../../src/session/session-file.ts'
import { readSessionHeader, sessionKey } from '../../src/session/session-header.ts'

const model = await loadModel('e2e/golden/llama-plain/hf', { threads: 1 })
const ids = Array.from({ length: 20 }, (_, i) => 3 + ((i * 7) % 80))

async function saved(options: CacheOptions): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'trimkv-fuzz-session-'))
  try {
    using session = createSession(model, options, { batch: 1, maxTokens: 64 })
    session.begin(0, 64)
    for await (const _ of prefill(session, { seat: 0, ids, output: 'none' }));
    await saveSession(session, join(folder, 'one'), { ids: [ids] })
    return readFileSync(join(folder, 'one'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const seeds = await Promise.all(
  [
    { policy: 'full' },
    { policy: 'streaming', budget: 8, exact: true },
    { policy: 'snapkv', budget: 12, buffer: 3, kvDtype: 'f8' as const },
  ].map(saved),
)

const sealBytes = 32
const headerStart = 8

/** A file of this header and the data of another, its length and checksum put right. */
function rebuilt(header: string, original: Buffer): Buffer {
  const start = headerStart + Number(original.readBigUInt64LE())
  const head = Buffer.from(header)
  const length = Buffer.alloc(headerStart)
  length.writeBigUInt64LE(BigInt(head.length))
  const sealed = Buffer.concat([length, head, original.subarray(start, original.length - sealBytes)])
  return Buffer.concat([sealed, createHash('sha256').update(sealed).digest()])
}

/** What the session says of itself, changed inside the text that the header holds of it. */
function mutatedState(random: SeededRandom, header: string): string {
  const { __metadata__: metadata, ...tensors } = JSON.parse(header) as {
    __metadata__: Record<string, string>
  }
  const state = mutateJson(random, metadata[sessionKey]!)
  return JSON.stringify({ __metadata__: { ...metadata, [sessionKey]: state }, ...tensors })
}

/** Numbers of the data changed: counts and victims are read from there. */
function mutatedData(random: SeededRandom, original: Buffer): Buffer {
  const copy = Buffer.from(original)
  const start = headerStart + Number(original.readBigUInt64LE())
  for (let i = random.int(1, 4); i > 0; i--) {
    const at = start + 4 * random.int(0, Math.floor((copy.length - sealBytes - start) / 4) - 1)
    copy.writeInt32LE(pick(random, [-1, 0, 1, 7, 21, 2 ** 20, 2 ** 31 - 1, -(2 ** 31)]), at)
  }
  return copy
}

function mutatedFile(random: SeededRandom): Buffer | Uint8Array {
  const original = pick(random, seeds)
  const header = original
    .subarray(headerStart, headerStart + Number(original.readBigUInt64LE()))
    .toString()
    .trimEnd()
  const kind = random.next()
  if (kind < 0.1) return mutateBytes(random, original)
  if (kind < 0.4) return rebuilt(mutateJson(random, header), original)
  if (kind < 0.7) return rebuilt(mutatedState(random, header), original)
  return rebuilt(header, mutatedData(random, original))
}

async function readAll(path: string): Promise<void> {
  await readSessionHeader(path)
  const { session, ids: read } = await restoreSession(model, path, { maxTokens: 64 })
  using restored = session
  for (const [seat, { length }] of read.entries()) {
    const seen = restored.cache.seen(seat)
    if (length !== seen)
      throw new Error(`sequence ${seat} has read ${seen} tokens and ${length} ids are given`)
  }
  await restored.forward({ ids: [[5, 6, 7]], seats: { first: 0, count: 1 }, output: { kind: 'last' } })
}

export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/io/src/sealed-safetensors.ts',
    'packages/engine/src/session/session-file.ts',
    'packages/engine/src/session/session-header.ts',
    'packages/engine/src/session/session-settings.ts',
    'packages/cache/src/seat-image.ts',
  ],
  counters: () => ({ tensors: model.device.liveTensors(), bytes: model.device.bytes() }),
  createCase: (random) => ({
    files: { session: mutatedFile(random) },
    run: (folder) => readAll(join(folder, 'session')),
  }),
})
