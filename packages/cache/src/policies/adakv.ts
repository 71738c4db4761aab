import { definePolicy, type Policy, pooled } from '../policy.ts'
import { keyDifference, type Score, windowAttention, writtenScore } from '../score.ts'
import { pool, type Transform } from '../transform.ts'
import { shortness } from './knorm.ts'

interface BaseOptions {
  readonly window: number
  readonly kernel: number
  readonly kind: 'max' | 'avg'
}

interface Base {
  readonly score: Score
  readonly transforms?: readonly Transform[]
  readonly protect?: { readonly last: number }
}

/** What the heads compete by. */
const bases: Readonly<Record<'snapkv' | 'knorm' | 'keydiff', (options: BaseOptions) => Base>> = {
  snapkv: ({ window, kernel, kind }) => ({
    score: windowAttention({ window, columns: 'all' }),
    transforms: [pool({ kernel, kind, exclude: window })],
    protect: { last: window },
  }),
  knorm: () => ({ score: writtenScore('shortness', shortness) }),
  keydiff: () => ({ score: keyDifference() }),
}

/** The budget of a layer divided over its heads by pooling their scores, each head sure of a share. */
export const adakv: Policy = definePolicy({
  name: 'adakv',
  source: 'AdaKV (arXiv:2407.11550), Algorithm 1; floor=top: kvpress adakv_press.py; floor=mix: FFY0/AdaKV',
  formula: 'that of `base`; the slots of all heads of a layer in one pool',
  presets: [
    { name: 'kvpress', options: {} },
    {
      name: 'AdaKV repository',
      options: { floor: 'mix', window: 32, kernel: 7, pool: 'max' },
      note: 'safeguard 0.2 in its scripts, 0.5 in its quick start',
    },
  ],
  phases: ['prefill-aware'],
  options: {
    base: {
      type: 'choice',
      choices: ['snapkv', 'knorm', 'keydiff'],
      default: 'snapkv',
      doc: 'the rating that heads compete by',
    },
    floor: {
      type: 'choice',
      choices: ['top', 'mix'],
      default: 'top',
      doc: 'top: the best tokens of each head are sure, the total is exact; mix: wins are mixed with an even share, as in the paper',
    },
    safeguard: {
      type: 'number',
      default: 0.2,
      min: 0,
      max: 1,
      doc: 'share of the budget that each head is sure of',
    },
    window: {
      type: 'int',
      default: 64,
      min: 1,
      doc: 'snapkv: newest tokens whose queries rate the others and which always stay',
    },
    kernel: { type: 'int', default: 5, min: 1, doc: 'snapkv: width of the smoothing, odd' },
    pool: {
      type: 'choice',
      choices: ['avg', 'max'],
      default: 'avg',
      doc: 'snapkv: smoothing by the mean or the largest score',
    },
  },
  parts: ({ base, floor, safeguard, window, kernel, pool: kind }, { budget }) => ({
    ...bases[base]({ window, kernel, kind }),
    allocate: pooled({
      budget,
      scope: 'layer',
      floor:
        floor === 'top'
          ? { kind: 'top', slots: Math.floor(budget * safeguard) }
          : { kind: 'mix', share: safeguard },
    }),
  }),
})
