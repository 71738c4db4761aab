import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { policies } from '@trimkv/cache'
import { type CacheOptions, createSession, forkSession, loadModel, type Model, prefill } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import type { Device, TensorSpec } from '@trimkv/tensor'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type FileOptions, policyFiles } from './policy-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-out-of-memory-'))
const ids = Array.from({ length: 40 }, (_, i) => 3 + ((i * 7) % 80))
let model: Model
let filesOf: FileOptions
beforeAll(async () => {
  model = await loadModel(referenceModelDir, { gates: referenceGatesDir, threads: 1 })
  filesOf = await policyFiles(model, { folder, ids, threshold: 0 })
})
afterAll(() => {
  model[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

const taken = () => ({ tensors: model.device.liveTensors(), bytes: model.device.bytes() })
let before: ReturnType<typeof taken>
beforeEach(() => {
  before = taken()
})
afterEach(() => expect(taken()).toEqual(before))

const noMemory = new Error('no memory left')

/** The model on a device that gives so many tensors and views, and then none. */
function withTensors(most: number): Model {
  let left = most
  function given<A extends unknown[], R>(make: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      if (left-- <= 0) throw noMemory
      return make(...args)
    }
  }
  const { device } = model
  const scarce = {
    ops: { ...device.ops, slice: given(device.ops.slice) },
    pageBytes: device.pageBytes,
    zeros: given((spec: TensorSpec) => device.zeros(spec)),
    reserve: given((spec: TensorSpec) => device.reserve(spec)),
  }
  return { ...model, device: scarce as unknown as Device }
}

const spelled = (name: string): string => name + filesOf(name)

const settings: readonly CacheOptions[] = [
  { budget: 80, buffer: 6 },
  { budget: 80, exact: true },
]
const cases = Object.values(policies).flatMap(({ name, phases }) =>
  settings.slice(0, phases.includes('decode') ? 2 : 1).map((given) => ({ name, given })),
)

describe('a session that cannot be made', () => {
  it.each(cases)(
    'leaves nothing behind, whichever tensor is the first that is refused: $name, $given',
    ({ name, given }) => {
      const make = (on: Model) =>
        createSession(on, { ...given, policy: spelled(name) }, { batch: 2, maxTokens: 60, grows: true })
      for (let most = 0; ; most++) {
        try {
          using _session = make(withTensors(most))
          expect(most).toBeGreaterThan(model.spec.layers)
          break
        } catch (error) {
          expect(error).toBe(noMemory)
          expect(taken()).toEqual(before)
        }
      }
    },
  )

  it('leaves nothing behind when the address space ends', async () => {
    using session = createSession(model, { policy: 'full' }, { batch: 1, maxTokens: 60, grows: true })
    session.begin(0, 60)
    for await (const _ of prefill(session, { seat: 0, ids, output: 'none' }));
    const now = taken()
    const { kvHeads, headDim } = model.spec
    // Of the 2^47 bytes of a process, keys and values of each layer take a quarter.
    const maxTokens = 2 ** 44 / (kvHeads * headDim * 4)
    const forked = forkSession({ session, seat: 0 }, { maxTokens })
    await expect(forked).rejects.toMatchObject({ code: 'TRIMKV_OUT_OF_MEMORY' })
    expect(taken()).toEqual(now)
  })
})
