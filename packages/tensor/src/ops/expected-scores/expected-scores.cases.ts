import type { DType } from '../../dtype.ts'
import type { OpCase, OpCases } from '../../op-case.ts'
import {
  countInput,
  edgeLayout,
  randomLayout,
  type SlotLayout,
  seenInput,
  slotIndexInput,
  slotRowsInput,
} from '../../slot-case-inputs.ts'
import type { ExpectedScoresAttrs } from './expected-scores.ts'

interface Sizes {
  readonly layout: SlotLayout
  readonly C: number
  readonly G: number
  readonly D: number
  readonly half: number
  readonly dtype: DType
  readonly attrs?: Partial<ExpectedScoresAttrs>
}

const at = ({ layout, C, G, D, half, dtype, attrs }: Sizes): OpCase<ExpectedScoresAttrs> => ({
  name: `B${layout.B} C${C} H${layout.H} G${G} D${D} rotary ${2 * half} cap${layout.cap} ${dtype} ${JSON.stringify(attrs ?? {})}`,
  inputs: {
    q: { dtype: 'f32', shape: [layout.B, C, layout.H * G, D], strided: 3 },
    index: { dtype: 'i32', shape: [layout.B, C], fill: (i) => i % Math.max(C, 1) },
    keys: slotRowsInput(layout, D, dtype),
    count: countInput(layout),
    slotIndex: slotIndexInput(layout),
    seen: seenInput(layout),
    invFreq: { dtype: 'f32', shape: [1, half], fill: (i) => 1e4 ** (-i / half) },
  },
  attrs: {
    sinks: 4,
    future: 16,
    covariance: true,
    scale: 1 / Math.sqrt(D),
    ropeScale: 1,
    offset: 0,
    ...attrs,
  },
  // Quadratic forms of a whole head in f32, then an exponential.
  tolerance: 5e-5,
})

export const expectedScoresCases: OpCases<ExpectedScoresAttrs> = {
  cases: [
    at({ layout: edgeLayout(1, 1, 1), C: 1, G: 1, D: 2, half: 1, dtype: 'f32', attrs: { sinks: 0 } }),
    at({ layout: edgeLayout(2, 3, 70), C: 150, G: 2, D: 32, half: 16, dtype: 'f32' }),
    at({ layout: edgeLayout(2, 3, 40), C: 40, G: 2, D: 20, half: 7, dtype: 'bf16', attrs: { offset: 9 } }),
    at({ layout: edgeLayout(1, 4, 33), C: 3, G: 3, D: 16, half: 8, dtype: 'f16', attrs: { sinks: 5 } }),
    at({
      layout: edgeLayout(1, 4, 33),
      C: 70,
      G: 1,
      D: 24,
      half: 12,
      dtype: 'f32',
      attrs: { covariance: false, ropeScale: 1.3, future: 1 },
    }),
  ],
  fuzz: (random) => {
    const half = random.int(1, 20)
    return at({
      layout: randomLayout(random, 60),
      C: random.int(0, 40),
      G: random.int(1, 4),
      D: 2 * half + random.int(0, 3),
      half,
      dtype: (['f32', 'bf16', 'f16'] as const)[random.int(0, 2)]!,
      attrs: { sinks: random.int(0, 5), covariance: random.next() < 0.5, offset: random.int(0, 9) },
    })
  },
  bench: [
    at({
      layout: { B: 1, H: 8, cap: 4096, counts: new Array(8).fill(4096), order: 'ascending' },
      C: 4096,
      G: 4,
      D: 128,
      half: 64,
      dtype: 'bf16',
      attrs: { future: 512 },
    }),
  ],
}
