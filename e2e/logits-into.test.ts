import { createSession, type DecoderSession, loadModel, type Model } from '@trimkv/engine'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { goldenPath } from './golden.ts'

let model: Model
beforeAll(async () => {
  model = await loadModel(goldenPath('qwen3', 'hf'), { threads: 2 })
})
afterAll(() => model[Symbol.dispose]())

const batch = 3

/** Sessions of several sequences; `pinned`: how many tokens each of them keeps for certain. */
function begun(pinned: readonly number[]): DecoderSession {
  const options = { policy: 'streaming', budget: 12, buffer: 2 }
  const session = createSession(model, options, { batch, maxTokens: 64 })
  for (let seat = 0; seat < batch; seat++) {
    session.begin(seat, 64)
    session.cache.pin(seat, pinned[seat]!)
  }
  return session
}

// Sequences that pin different numbers of tokens are read apart from each other.
it.each([[[0, 0, 0]], [[0, 5, 5]]])('logits go into the array given, pins %j', async (pinned) => {
  using session = begun(pinned)
  using other = begun(pinned)
  const into = new Float32Array(batch * model.spec.vocabSize)
  for (let step = 0; step < 20; step++) {
    const ids = Array.from({ length: batch }, (_, seat) => [(7 * step + seat) % model.spec.vocabSize])
    const wanted = await other.forward({ ids, output: { kind: 'last' } })
    const got = await session.forward({ ids, output: { kind: 'last' }, into })
    expect(got.values).toBe(into)
    expect(into).toEqual(wanted.values)
  }
})

it('an array of another size is refused, and one for a forward without logits', async () => {
  using session = begun([0, 0, 0])
  const ids = [[1], [2], [3]]
  const into = new Float32Array(5)
  await expect(session.forward({ ids, output: { kind: 'last' }, into })).rejects.toMatchObject({
    code: 'TRIMKV_SHAPE',
  })
  await expect(session.forward({ ids, output: { kind: 'none' }, into })).rejects.toMatchObject({
    code: 'TRIMKV_OPTION',
  })
  // Nothing was read.
  expect(session.cache.seen(0)).toBe(0)
})
