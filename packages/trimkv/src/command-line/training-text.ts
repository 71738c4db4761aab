import type { TrainEvent, TrainResult } from '@trimkv/trainer'
import { countText, durationText, numberText } from '../terminal/number-text.ts'

type StepEvent = Extract<TrainEvent, { kind: 'step' }>
type ValidationEvent = Extract<TrainEvent, { kind: 'validation' }>

/** Terms may be far below one, unlike anything that is counted. */
const valueText = (value: number): string =>
  value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(1) : numberText(value)

/** `0.412 (kl 0.051, ntp 2.31, capacity 0)`, and how many tokens heads hold. */
function termsText({ loss, occupancy, ...parts }: StepEvent['terms'], budget: number | undefined): string {
  const named = Object.entries(parts).map(([name, value]) => `${name} ${valueText(value)}`)
  const held =
    occupancy === undefined
      ? ''
      : ` · ${numberText(occupancy)} tokens held${budget === undefined ? '' : ` of ${budgetText(budget)}`}`
  return `loss ${valueText(loss!)}${named.length > 0 ? ` (${named.join(', ')})` : ''}${held}`
}

/** `512`, or `25 % of a row`. */
const budgetText = (budget: number): string =>
  budget < 1 ? `${numberText(100 * budget)} % of a row` : countText(budget)

/** `step 120/10 000 · 4 min 05 s left · loss 0.412 (…) · 310 tokens held of 256 · 1 230 tokens/s` */
export function stepText(event: StepEvent, budget: number | undefined): string {
  const { step, steps, terms, tokensPerSecond, etaSeconds } = event
  return [
    `step ${countText(step)}/${countText(steps)}`,
    ...(step < steps ? [`${durationText(1000 * etaSeconds)} left`] : []),
    termsText(terms, budget),
    `${numberText(tokensPerSecond)} tokens/s`,
  ].join(' · ')
}

/** `validation after step 100 · loss 0.38 (…) · best so far` */
export const validationText = ({ step, terms, best }: ValidationEvent, budget: number | undefined): string =>
  `validation after step ${countText(step)} · ${termsText(terms, budget)}${best ? ' · best so far' : ''}`

/** What a training came to. */
export function resultText({ step, tokens, seconds, best }: TrainResult): string {
  const took = `${countText(step)} steps, ${countText(tokens)} tokens in ${durationText(1000 * seconds)}`
  const which = best
    ? `written as of step ${countText(best.step)}, the best (${best.term} ${valueText(best.value)})`
    : 'written as of the last step'
  return `${took} · ${which}`
}
