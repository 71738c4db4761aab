import type { Gradient } from '../../gradient.ts'
import type { ConcatLastSlots } from './concat-last.ts'

/** Each part takes its columns of the gradient. */
export const concatLastGrad: Gradient<ConcatLastSlots, Record<never, never>, 'out'> = ({
  ops,
  inputs,
  grads: { out: dy },
  wants,
}) => {
  const columns = (start: number, length: number): typeof dy =>
    ops.copy({ x: ops.slice(dy, { axis: 2, start, length }) }, { dtype: 'f32' })
  const [first, second] = [inputs.a.shape[2] as number, inputs.b.shape[2] as number]
  return {
    a: wants('a') ? columns(0, first) : undefined,
    b: wants('b') ? columns(first, second) : undefined,
  }
}
