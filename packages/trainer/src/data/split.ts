import { createRandom } from '@trimkv/tasks'
import { fail } from '@trimkv/tensor'

/** Which part of the data a source gives. */
export type Part = 'train' | 'validation'

/** Holds documents out of training. */
export interface Split {
  /** Share of the documents held out, over 0 and under 1. */
  readonly validationShare: number
  readonly part: Part
}

/** @throws TrimError `TRIMKV_OPTION` for a share out of range */
export function checkSplit({ validationShare }: Split): void {
  if (validationShare > 0 && validationShare < 1) return
  fail('TRIMKV_OPTION', `split.validationShare must be over 0 and under 1; got ${validationShare}`)
}

/**
 * Whether a document belongs to the part: by its index alone, so that no seed moves one from validation into training.
 * A larger share only moves documents into validation.
 */
export function isInPart(index: number, { validationShare, part }: Split): boolean {
  const isHeldOut = createRandom(`split/${index}`).next() < validationShare
  return isHeldOut === (part === 'validation')
}
