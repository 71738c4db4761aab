import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { capacityRef } from './capacity.ref.ts'

const rules = new ShapeRules('capacity')

export type CapacitySlots = { readonly occupancy: 'in'; readonly start: 'optional' }

export interface CapacityAttrs {
  /** M, tokens per head. */
  readonly budget: number
  /** `head`: each head has its own budget; `global`: M·X tokens are shared by all heads. */
  readonly scope: 'head' | 'global'
  /** Normalisation: of the released training code, or of the paper. */
  readonly form: 'code' | 'paper'
}

/**
 * How far heads hold more than their budget M, as one number. With p = t − start[t], the position in the document:
 * - `code`, `head`: `x = max(0, (S − M) / max(p − M, 1))`; the loss is Σx / #{x > 0}
 * - `code`, `global`: `x = max(0, (ΣS − M·X) / max(p·X − M·X, 1))`, ΣS over the heads; the loss is Σx / #{x > 0}
 * - `paper`, `head`: mean of `max(0, S − M) / (p + 1)` over rows, positions and heads
 * - `paper`, `global`: mean of `max(0, ΣS − M·X)` over rows and positions; the mean is ours, the paper names no normaliser
 *
 * Shapes: occupancy [B, T, X] f32, X heads of all layers side by side; start [B, T] i32, as in `occupancy`; loss [1] f32,
 * 0 where nothing is above its budget; active [1] f32 = #{x > 0}. Sums are taken in f64.
 * @throws TRIMKV_INVARIANT at run time unless starts never fall along a row and 0 ≤ start[t] ≤ t
 */
export const capacity: Op<CapacitySlots, CapacityAttrs, 'loss' | 'active'> = {
  name: 'capacity',
  source: 'TRIM-KV (arXiv:2512.03324), capacity loss; its training code for form code',
  slots: { occupancy: 'in', start: 'optional' },
  outputs: ['loss', 'active'],
  infer({ occupancy, start }, { budget }) {
    const size = rules.match<'B' | 'T' | 'X'>('occupancy', occupancy, ['B', 'T', 'X'])
    rules.dtype('occupancy', occupancy, 'f32')
    if (start) {
      rules.with(size).match('start', start, ['B', 'T'])
      rules.dtype('start', start, 'i32')
    }
    rules.option(budget > 0 && Number.isFinite(budget), `budget must be a positive number, got ${budget}`)
    return { loss: { dtype: 'f32', shape: [1] }, active: { dtype: 'f32', shape: [1] } }
  },
  scalars: capacityScalars,
  reference: capacityRef,
}

/** The attributes as the kernels of `capacity` and `capacityGrad` take them. */
export function capacityScalars({ budget, scope, form }: CapacityAttrs): readonly number[] {
  return [budget, scope === 'global' ? 1 : 0, form === 'paper' ? 1 : 0]
}
