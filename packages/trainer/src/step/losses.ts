import { fail } from '@trimkv/tensor'

/** How the occupancy of a gated cache is held to its budget. */
export interface CapacityLoss {
  /** λ, the factor of the term. */
  readonly weight: number
  /** Tokens per layer and KV head; below 1 a share of the row's length. */
  readonly budget: number
  /** Each head for itself (TRIM-KV), or all heads of all layers together (DBTrimKV). */
  readonly scope: 'head' | 'global'
  /** Normalised as in the released code, or as the papers write it. */
  readonly form: 'code' | 'paper'
}

/**
 * What is minimised: the listed base terms, averaged or added, plus the capacity term.
 * @see TRIM-KV (arXiv:2512.03324) eq. 5–7; its released trainer averages the base terms
 */
export interface Losses {
  /** Kullback–Leibler divergence between the model without gates (teacher) and with them, per labelled token. */
  readonly kl?: 'forward' | 'reverse'
  /**
   * Which rows `kl` is taken at: those whose own token is labelled (the released code), or those whose next token is,
   * weighted as it is.
   */
  readonly klRows?: 'labels' | 'targets'
  /** Cross-entropy of the next token. */
  readonly ntp: boolean
  readonly combine: 'mean' | 'sum'
  readonly capacity?: CapacityLoss
}

/** Factor of each base term in the total. @throws TRIMKV_OPTION when there is nothing to minimise */
export function baseFactor({ kl, ntp, combine, capacity }: Losses): number {
  const terms = (kl ? 1 : 0) + (ntp ? 1 : 0)
  if (terms === 0 && !capacity)
    fail('TRIMKV_OPTION', 'the loss has no terms', { hint: 'choose kl, ntp or capacity' })
  return combine === 'mean' && terms > 0 ? 1 / terms : 1
}

/** Budget in tokens for rows of `length`. */
export const budgetFor = ({ budget }: CapacityLoss, length: number): number =>
  budget < 1 ? Math.max(1, Math.round(budget * length)) : budget
