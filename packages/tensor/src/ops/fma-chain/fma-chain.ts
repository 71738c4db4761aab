import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { fmaChainRef } from './fma-chain.ref.ts'

const rules = new ShapeRules('fmaChain')

/** Rounds that one call may take: longer ones could not be stopped. */
const maxRounds = 1_000_000

export type FmaChainSlots = { readonly x: 'in' }

export interface FmaChainAttrs {
  readonly factor: number
  readonly term: number
  /** How often each element is multiplied and added to. */
  readonly rounds: number
}

/**
 * Each element `rounds` times replaced by `factor · x + term`, in registers: as much arithmetic as the processor does.
 * It is there to be timed, as what the arithmetic of other ops is a share of.
 * - x [N] f32, contiguous; out [N] f32
 * @throws TRIMKV_OPTION unless factor and term are finite and rounds is an integer from 0 to 1,000,000
 */
export const fmaChain: Op<FmaChainSlots, FmaChainAttrs, 'out'> = {
  name: 'fmaChain',
  source: 'Williams et al. 2009 (doi:10.1145/1498765.1498785): the ceiling of computation of a roofline',
  slots: { x: 'in' },
  outputs: ['out'],
  infer({ x }, { factor, term, rounds }) {
    const { N } = rules.match<'N'>('x', x, ['N'])
    rules.dtype('x', x, 'f32')
    rules.option(Number.isFinite(factor) && Number.isFinite(term), 'factor and term must be finite')
    rules.option(
      Number.isInteger(rounds) && rounds >= 0 && rounds <= maxRounds,
      `rounds must be an integer from 0 to ${maxRounds}, got ${rounds}`,
    )
    return { out: { dtype: 'f32', shape: [N] } }
  },
  scalars: ({ factor, term, rounds }) => [factor, term, rounds],
  reference: fmaChainRef,
  cost: ({ x }, { rounds }) => ({ flops: 2 * rounds * x.shape[0]!, bytes: 8 * x.shape[0]! }),
}
