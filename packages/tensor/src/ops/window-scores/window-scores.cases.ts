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
import type { WindowScoresAttrs } from './window-scores.ts'

interface Sizes {
  readonly layout: SlotLayout
  readonly w: number
  readonly G: number
  readonly D: number
  readonly dtype: DType
  readonly columns: WindowScoresAttrs['columns']
  readonly timesVisible?: boolean
}

const at = ({ layout, w, G, D, dtype, columns, timesVisible = false }: Sizes): OpCase<WindowScoresAttrs> => ({
  name: `B${layout.B} H${layout.H} G${G} w${w} D${D} cap${layout.cap} ${dtype} ${columns}${timesVisible ? ' times visible' : ''}`,
  inputs: {
    ring: { dtype: 'f32', shape: [layout.B, w, layout.H * G, D], strided: 3 },
    keys: slotRowsInput(layout, D, dtype),
    count: countInput(layout),
    slotIndex: slotIndexInput(layout),
    seen: seenInput(layout),
  },
  attrs: { scale: 1 / Math.sqrt(D), columns, timesVisible },
})

export const windowScoresCases: OpCases<WindowScoresAttrs> = {
  cases: [
    at({ layout: edgeLayout(1, 1, 1), w: 1, G: 1, D: 1, dtype: 'f32', columns: 'all' }),
    at({ layout: edgeLayout(2, 3, 70), w: 8, G: 2, D: 64, dtype: 'bf16', columns: 'all' }),
    at({ layout: edgeLayout(2, 3, 70), w: 8, G: 2, D: 64, dtype: 'bf16', columns: 'candidates' }),
    at({ layout: edgeLayout(1, 4, 33), w: 200, G: 3, D: 16, dtype: 'f16', columns: 'all' }),
    at({ layout: edgeLayout(1, 4, 33), w: 200, G: 3, D: 16, dtype: 'f32', columns: 'candidates' }),
    at({ layout: edgeLayout(1, 4, 65), w: 1, G: 5, D: 40, dtype: 'f32', columns: 'all' }),
    at({
      layout: edgeLayout(2, 3, 70),
      w: 8,
      G: 2,
      D: 16,
      dtype: 'f32',
      columns: 'all',
      timesVisible: true,
    }),
  ],
  fuzz: (random) =>
    at({
      layout: randomLayout(random, 150),
      w: random.int(1, 40),
      G: random.int(1, 6),
      D: random.int(1, 80),
      dtype: (['f32', 'bf16', 'f16', 'f8'] as const)[random.int(0, 3)]!,
      columns: random.next() < 0.5 ? 'all' : 'candidates',
      timesVisible: random.next() < 0.3,
    }),
  bench: [
    at({
      layout: { B: 1, H: 8, cap: 1152, counts: new Array(8).fill(1152), order: 'ascending' },
      w: 8,
      G: 2,
      D: 128,
      dtype: 'bf16',
      columns: 'candidates',
    }),
  ],
}
