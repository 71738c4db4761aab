import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { definePolicy, type HostView, hostScore, type Policy } from '@trimkv/cache'
import { loadModel, quantiseModel, trace } from '@trimkv/engine'
import { openCheckpoint, readStored } from '@trimkv/io'
import { dequantise, type QuantisedSpec } from '@trimkv/tensor'
import { afterAll, describe, expect, it } from 'vitest'
import { goldenPath, goldenTensors } from './golden.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-critical-'))
afterAll(() => rmSync(folder, { recursive: true }))

const window = 12
const epsilon = 1e-4

/** Output weights [E, Hq · D] of every layer as the quantised file gives them. */
async function outputWeights(model: string, layers: number): Promise<Float32Array[]> {
  const { tensors } = await openCheckpoint(model)
  return Promise.all(
    Array.from({ length: layers }, async (_, layer) => {
      const entry = tensors.get(`model.layers.${layer}.self_attn.o_proj.weight`)!
      return dequantise(await readStored(entry), { dtype: entry.dtype, shape: entry.shape } as QuantisedSpec)
    }),
  )
}

/** Mean attention of the window's queries to each slot. */
function attention(view: HostView, queryHead: number, head: number): number[] {
  const D = view.headDim
  const [keys, queries, positions] = [view.keys(head), view.queries(queryHead), view.positions(head)]
  const mean = Array.from(positions, () => 0)
  for (let i = 0; i < window; i++) {
    const weights = Array.from(positions, (position, slot) => {
      if (position > view.seen - window + i) return 0
      const key = keys.subarray(slot * D, (slot + 1) * D)
      return Math.exp(key.reduce((dot, x, d) => dot + x * queries[i * D + d]!, 0) / Math.sqrt(D))
    })
    const total = weights.reduce((a, b) => a + b, 0)
    for (const [slot, weight] of weights.entries()) mean[slot]! += weight / total / window
  }
  return mean
}

/** ‖W v‖₁ for the columns of one query head. */
function norm(weight: Float32Array, value: Float32Array, at: { width: number; queryHead: number }): number {
  const D = value.length
  let sum = 0
  for (let row = at.queryHead * D; row < weight.length; row += at.width) {
    sum += Math.abs(value.reduce((dot, x, d) => dot + x * weight[row + d]!, 0))
  }
  return sum
}

/** CriticalKV without its first stage, over attention that is not smoothed, in plain loops. */
const byHand = (weights: readonly Float32Array[]): Policy =>
  definePolicy({
    name: 'critical-by-hand',
    source: 'kvpress criticalkv_press.py',
    phases: ['prefill-aware'],
    options: {},
    parts: () => ({
      score: hostScore({
        needs: { window },
        score(view, head) {
          const { headDim: D, queryHeads, heads } = view
          const group = Array.from({ length: queryHeads / heads }, (_, g) => (head * queryHeads) / heads + g)
          const perQuery = group.map((queryHead) => attention(view, queryHead, head))
          const values = view.values(head)
          return perQuery[0]!.map((_, slot) => {
            const score = perQuery.reduce((sum, of) => sum + of[slot]!, 0) / group.length
            const value = values.subarray(slot * D, (slot + 1) * D)
            const norms = group.map((queryHead) =>
              norm(weights[view.layer]!, value, { width: queryHeads * D, queryHead }),
            )
            return (score + epsilon) * (norms.reduce((a, b) => a + b, 0) / group.length)
          })
        },
      }),
      protect: { last: window },
    }),
  })

describe.each(['q8', 'q4'] as const)('CriticalKV on a model with weights in %s', (weights) => {
  it.each(['qwen3', 'llama'])(
    '%s: weighs values with the output weights as they are stored',
    async (base) => {
      const out = join(folder, `${base}-${weights}`)
      const { kept } = await quantiseModel(goldenPath(base, 'hf'), out, { weights })
      expect(kept).toEqual([])
      const golden = await goldenTensors('policies-prefill', `${base}.safetensors`)
      const ids = await golden.ids('input_ids')
      using model = await loadModel(out, { threads: 2 })
      const run = { budget: 30, steps: 6, chunk: 0 }
      const policy = `criticalkv:window=${window},kernel=1,share=0,epsilon=${epsilon}`
      const critical = await trace(model, ids, { ...run, policy })
      const output = await outputWeights(out, model.spec.layers)
      const wanted = await trace(model, ids, { ...run, policy: byHand(output) })
      expect(critical.kept).toEqual(wanted.kept)
      expect(critical.tokens).toEqual(wanted.tokens)
      const attentionOnly = await trace(model, ids, {
        ...run,
        policy: `snapkv:when=prefill,window=${window},kernel=1`,
      })
      expect(critical.kept[0]).not.toEqual(attentionOnly.kept[0])
    },
  )
})
