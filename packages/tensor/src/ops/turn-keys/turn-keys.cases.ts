import type { DType } from '../../dtype.ts'
import type { OpCase, OpCases } from '../../op-case.ts'
import {
  edgeLayout,
  keptInput,
  randomLayout,
  type SlotLayout,
  slotRowsInput,
} from '../../slot-case-inputs.ts'

type Attrs = Record<never, never>

interface Sizes {
  readonly budget: number
  readonly D: number
  readonly half: number
  readonly dtype: DType
  /** One row of frequencies for each sequence. */
  readonly each: boolean
}

const at = (layout: SlotLayout, { budget, D, half, dtype, each }: Sizes): OpCase<Attrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} budget ${budget} D${D} rotary ${2 * half} ${dtype}${each ? ' each' : ''}`,
  inputs: {
    kept: keptInput(layout, budget),
    invFreq: {
      dtype: 'f32',
      shape: [each ? layout.B : 1, half],
      fill: (i) => 1e4 ** (-(i % half) / half) * (1 + Math.floor(i / half)),
    },
    keys: slotRowsInput(layout, D, dtype),
  },
  attrs: {},
  // Half formats: a sum on the border between two neighbours may be rounded to either.
  tolerance: dtype === 'f32' ? 1e-5 : 2e-3,
})

export const turnKeysCases: OpCases<Attrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), { budget: 1, D: 2, half: 1, dtype: 'f32', each: false }),
    at(edgeLayout(2, 3, 40), { budget: 16, D: 64, half: 32, dtype: 'f32', each: true }),
    at(edgeLayout(2, 3, 40), { budget: 40, D: 50, half: 20, dtype: 'bf16', each: false }),
    at(edgeLayout(1, 5, 33), { budget: 9, D: 8, half: 4, dtype: 'f16', each: true }),
  ],
  fuzz: (random) => {
    const layout = randomLayout(random, 90)
    const half = random.int(1, 40)
    return at(layout, {
      budget: random.int(1, layout.cap),
      D: 2 * half + random.int(0, 5),
      half,
      dtype: (['f32', 'bf16', 'f16'] as const)[random.int(0, 2)]!,
      each: random.next() < 0.5,
    })
  },
}
