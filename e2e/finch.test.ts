import { definePolicy, type HostView, hostScore } from '@trimkv/cache'
import { loadModel, trace } from '@trimkv/engine'
import { describe, expect, it } from 'vitest'
import { goldenPath, goldenTensors, logitError } from './golden.ts'

const question = 12

/** FINCH's rating in plain loops: the mean over the question's queries t of softmax · t, and over the group. */
function ratedByHand(view: HostView, head: number): Float64Array {
  const { headDim: D, queryHeads, heads, seen } = view
  const group = queryHeads / heads
  const positions = view.positions(head)
  const keys = view.keys(head)
  const scores = new Float64Array(positions.length)
  for (let q = head * group; q < (head + 1) * group; q++) {
    const queries = view.queries(q)
    for (let i = 0; i < question; i++) {
      const t = seen - question + i
      const weights = Array.from(positions, (position, slot) => {
        if (position > t) return 0
        let dot = 0
        for (let d = 0; d < D; d++) dot += queries[i * D + d]! * keys[slot * D + d]!
        return Math.exp(dot / Math.sqrt(D))
      })
      const total = weights.reduce((a, b) => a + b, 0)
      weights.forEach((weight, slot) => {
        scores[slot]! += ((weight / total) * t) / (question * group)
      })
    }
  }
  return scores
}

const byHand = definePolicy({
  name: 'finch-by-hand',
  source: 'kvpress finch_press.py',
  phases: ['prefill-aware'],
  options: {},
  parts: () => ({
    score: hostScore({ needs: { window: question }, score: ratedByHand }),
    protect: { last: question },
    positions: 'slot',
  }),
})

describe.each(['qwen3', 'llama', 'qwen3-untied'])('FINCH on %s', (base) => {
  it('keeps what its formula says, and goes on at the slots that follow', async () => {
    const golden = await goldenTensors('policies-prefill', `${base}.safetensors`)
    using model = await loadModel(goldenPath(base, 'hf'), { threads: 2 })
    const ids = await golden.ids('input_ids')
    const run = { budget: 30, steps: 8, tensors: true }
    const finch = await trace(model, ids, { ...run, policy: `finch:question=${question}` })
    const wanted = await trace(model, ids, { ...run, policy: byHand })
    const kept = await trace(model, ids, { ...run, policy: `finch:question=${question},positions=keep` })
    expect(finch.kept).toEqual(wanted.kept)
    expect(finch.tokens).toEqual(wanted.tokens)
    expect(kept.kept[0]).toEqual(finch.kept[0])
    const [slots, angles] = [finch, kept].map(({ tensors }) => tensors.get('logits')!.data)
    expect(logitError(slots!.subarray(-50), angles!.slice(-50))).toBeGreaterThan(10)
  })
})
