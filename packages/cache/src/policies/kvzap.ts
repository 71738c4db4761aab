import { fail } from '@trimkv/tensor'
import type { ConstantSource, Needs } from '../needs.ts'
import { definePolicy, type Policy, pooled } from '../policy.ts'
import { type PerSlotScore, writtenScore } from '../score.ts'

interface Surrogate {
  readonly file: string
  readonly layers: number
  /** Width of the hidden state. */
  readonly width: number
  /** Units of the hidden layer; 0: there is none. */
  readonly units: number
  readonly heads: number
}

/** Weight and bias of a linear map of each layer, named as PyTorch numbers the parts of a sequence. */
function mapConstants(
  { file, layers }: Surrogate,
  { part, out, from }: { readonly part: string; readonly out: number; readonly from: number },
): { readonly weight: ConstantSource; readonly bias: ConstantSource } {
  const tensor = (name: string): string => `layers.{layer}.${part}${name}`
  return {
    weight: { file, tensor: tensor('weight'), shape: [layers, out, from] },
    bias: { file, tensor: tensor('bias'), shape: [layers, out] },
  }
}

/** What a small network reads out of the input of the layer when a token is written, one number per head. */
function surrogateScore(network: Surrogate): PerSlotScore {
  const { width, units, heads } = network
  const first = units > 0 ? mapConstants(network, { part: '0.', out: units, from: width }) : undefined
  const last = mapConstants(network, { part: units > 0 ? '2.' : '', out: heads, from: units || width })
  const constants = {
    ...(first && { hiddenWeight: first.weight, hiddenBias: first.bias }),
    headWeight: last.weight,
    headBias: last.bias,
  }
  const score = writtenScore('importance', {
    kind: 'ops',
    write(ops, { input, index, constant }) {
      const [B, C] = index.shape as [number, number]
      const x = ops.reshape(input(), [B * C, width])
      const hidden = first
        ? ops.gelu({
            x: ops.linear({ x, weight: constant('hiddenWeight'), bias: constant('hiddenBias') }),
          })
        : x
      const scores = ops.linear({
        x: hidden,
        weight: constant('headWeight'),
        bias: constant('headBias'),
      })
      return ops.reshape(scores, [B, C, heads])
    },
  })
  const needs: Needs = { ...score.needs, input: true, constants }
  return { ...score, needs }
}

/**
 * A small network per layer foretells, from what the layer reads, the attention a token will get when the text is repeated.
 * Tokens below a threshold go as soon as they leave a window of new ones; the budget is the most that may stay.
 */
export const kvzap: Policy = definePolicy({
  name: 'kvzap',
  source: 'KVzap (arXiv:2601.07891); kvpress kvzap_press.py under dms_press.py',
  formula: 'W₂ gelu(W₁x + b₁) + b₂ of the input x of the layer, or Wx + b; fixed when the token is written',
  phases: ['decode', 'prefill-agnostic'],
  options: {
    weights: {
      type: 'path',
      default: 'kvzap/model.safetensors',
      doc: 'safetensors file of the networks of this model, as published: layers.0.0.weight and so on',
    },
    units: { type: 'int', default: 512, min: 0, doc: 'units of their hidden layer; 0 for linear ones' },
    threshold: { type: 'number', default: -4, doc: 'tokens rated below it go, however much room there is' },
    window: { type: 'int', default: 128, min: 0, doc: 'newest tokens that always stay' },
  },
  presets: [
    {
      name: 'kvpress, decoding on',
      options: {},
      cache: { buffer: 1, chunk: 0 },
      note: 'a budget as long as the text: there only the threshold drops tokens',
    },
    { name: 'kvpress, prefill only', options: { when: 'prefill' } },
    { name: 'kvpress, linear', options: { units: 0 } },
  ],
  parts({ weights: file, units, threshold, window }, { budget, shape }) {
    const { layers, kvHeads: heads, hiddenSize: width } = shape
    if (width === undefined) {
      fail('TRIMKV_POLICY_CONTRACT', '[kvzap] the shape of the model says no hiddenSize', {
        hint: 'give it with the other sizes of the model',
      })
    }
    return {
      score: surrogateScore({ file, layers, width, units, heads }),
      protect: { last: window },
      allocate: pooled({ budget, scope: 'model', threshold }),
    }
  },
})
