import { type Policy, type Preset, policies } from '@trimkv/cache'
import { createSession, loadModel, type Model, prefill } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let model: Model
beforeAll(async () => {
  model = await loadModel(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
})
afterAll(() => model[Symbol.dispose]())

const promptLength = 400
const decoded = 150
const ids = Array.from({ length: promptLength + decoded }, (_, i) => 1 + ((i * i * 7 + i * 37) % 500))
const budget = 100

const presets: [string, Policy, Preset][] = Object.values(policies)
  // Others need a file that is made for a model.
  .filter(({ options }) => Object.values(options).every(({ type }) => type !== 'path'))
  .flatMap((policy) =>
    policy.presets.map((preset): [string, Policy, Preset] => [
      `${policy.name}, ${preset.name}`,
      policy,
      preset,
    ]),
  )

describe('presets', () => {
  it.each(presets)(
    '%s: runs on a model and stays within its budget',
    async (_, policy, { options, cache }) => {
      const settings = { ...cache, policy: { policy, options }, budget, beyondLimit: true }
      const maxTokens = ids.length
      using session = createSession(model, settings, { batch: 1, maxTokens })
      session.begin(0, maxTokens)
      const stored = (): number[] =>
        session.cache
          .positions(0)
          .flat()
          .map((head) => head.length)
      const mean = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0) / counts.length
      const prompt = { seat: 0, ids: ids.slice(0, promptLength), output: 'none' } as const
      for await (const { processed } of prefill(session, prompt))
        expect(processed).toBeLessThanOrEqual(promptLength)
      const afterPrompt = mean(stored())
      // A pyramid of whole numbers and rounded shares may hold a little more.
      if ((options.when ?? policy.options.when!.default) === 'prefill') {
        expect(afterPrompt).toBeLessThan(budget + 2)
        return
      }
      const room = cache?.exact ? 0 : (cache?.buffer ?? 128)
      expect(afterPrompt).toBeLessThanOrEqual(budget + room)
      for (const id of ids.slice(promptLength)) {
        await session.forward({ ids: [[id]], output: { kind: 'none' } })
        expect(mean(stored())).toBeLessThanOrEqual(budget + room)
      }
    },
  )
})
