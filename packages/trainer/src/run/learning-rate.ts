/** How the learning rate goes over the steps of a run. */
export interface LearningRateSchedule {
  /** Learning rate after warm-up. */
  readonly peak: number
  /** Steps in which it rises linearly to the peak. Default: 0. */
  readonly warmupSteps?: number
  /** What follows: half a cosine that reaches `floor` in the last step, or the peak to the end. */
  readonly decay: { readonly kind: 'cosine'; readonly floor: number } | { readonly kind: 'constant' }
}

/**
 * The learning rate of one step.
 * @param step from 1 to `steps`
 * @returns peak · step / warmupSteps while warming up, so that the first step learns and step `warmupSteps` has the peak;
 *   then floor + (peak − floor)·(1 + cos π·f)/2 with f the share of the remaining steps that is done
 * @see Loshchilov & Hutter 2017 (arXiv:1608.03983), equation 5, without restarts
 */
export function learningRateAt(step: number, steps: number, schedule: LearningRateSchedule): number {
  const { peak, warmupSteps = 0, decay } = schedule
  if (step < warmupSteps) return (peak * step) / warmupSteps
  if (decay.kind === 'constant' || steps === warmupSteps) return peak
  const done = (step - warmupSteps) / (steps - warmupSteps)
  return decay.floor + ((peak - decay.floor) * (1 + Math.cos(Math.PI * done))) / 2
}
