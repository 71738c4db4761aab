import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { definePolicy, hostScore } from '@trimkv/cache'
import { loadModel, queryFilters, trace } from '@trimkv/engine'
import { writeSafetensors } from '@trimkv/io'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { goldenPath, goldenTensors } from './golden.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'q-filters-'))
})
afterAll(() => rm(folder, { recursive: true }))

const bytes = (data: Float32Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

describe.each(['qwen3', 'llama', 'qwen3-untied'])('Q-Filters of %s', (base) => {
  it('rate keys by the filters made for the model, in both phases', async () => {
    const golden = await goldenTensors('policies-prefill', `${base}.safetensors`)
    using model = await loadModel(goldenPath(base, 'hf'), { threads: 2 })
    const ids = await golden.ids('input_ids')
    const { shape, data } = await queryFilters(model, [{ ids }, { ids: ids.slice(40) }])
    const { layers, kvHeads: H, headDim: D } = model.spec
    expect(shape).toEqual([layers, H, D])
    const file = join(folder, `${base}.safetensors`)
    await writeSafetensors(file, { q_filters: { dtype: 'f32', shape, data: bytes(data) } })
    const byHand = definePolicy({
      name: 'by-hand',
      source: 'test',
      phases: ['decode', 'prefill-agnostic'],
      options: {},
      parts: () => ({
        score: hostScore({
          score: (view, head) =>
            Array.from({ length: view.length(head) }, (_, slot) => {
              const from = (view.layer * H + head) * D
              const key = view.keys(head).subarray(slot * D, (slot + 1) * D)
              return -key.reduce((sum, x, d) => sum + x * data[from + d]!, 0)
            }),
        }),
      }),
    })
    for (const when of ['prefill', 'decode']) {
      const run = { budget: 20, chunk: 0, steps: 8, ...(when === 'decode' && { buffer: 4 }) }
      const policy = `q-filters:when=${when},recent=0,filters=${file}`
      const result = await trace(model, ids, { ...run, policy })
      const wanted = await trace(model, ids, { ...run, policy: { policy: byHand, options: { when } } })
      expect(result.kept).toEqual(wanted.kept)
      expect(result.tokens).toEqual(wanted.tokens)
    }
  })

  it('point against the queries, of length 1 for groups of one head', async () => {
    const golden = await goldenTensors('policies-prefill', `${base}.safetensors`)
    using model = await loadModel(goldenPath(base, 'hf'), { threads: 2 })
    const { heads, kvHeads, headDim: D } = model.spec
    const { data } = await queryFilters(model, [{ ids: await golden.ids('input_ids') }])
    for (let at = 0; at < data.length; at += D) {
      const length = Math.hypot(...data.subarray(at, at + D))
      expect(length).toBeLessThanOrEqual(1 + 1e-6)
      if (heads === kvHeads) expect(length).toBeCloseTo(1, 5)
    }
  })

  it('are refused where they belong to another model', async () => {
    const golden = await goldenTensors('policies-prefill', `${base}.safetensors`)
    using model = await loadModel(goldenPath(base, 'hf'), { threads: 2 })
    const ids = await golden.ids('input_ids')
    const file = join(folder, `${base}-wrong.safetensors`)
    await writeSafetensors(file, {
      q_filters: { dtype: 'f32', shape: [1], data: bytes(new Float32Array(1)) },
    })
    const run = (path: string) =>
      trace(model, ids, { policy: `q-filters:filters=${path}`, budget: 20, steps: 1 })
    await expect(run(file)).rejects.toMatchObject({ code: 'TRIMKV_WEIGHTS_MISMATCH' })
    await expect(run(join(folder, 'none'))).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
  })
})
