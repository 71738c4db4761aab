import type { DType } from '../../dtype.ts'
import type { CaseInput, OpCase, OpCases } from '../../op-case.ts'
import {
  countInput,
  edgeLayout,
  keptInput,
  randomLayout,
  type SlotLayout,
  slotRowsInput,
} from '../../slot-case-inputs.ts'

type Attrs = Record<never, never>

interface Rows {
  readonly capB: number
  /** Row width; 0 for tables without rows, [B, H, cap]. */
  readonly W: number
  readonly dtype: DType
  readonly budget?: number
}

function tableInput(layout: SlotLayout, cap: number, { W, dtype }: Rows): CaseInput {
  const rows = slotRowsInput({ ...layout, cap }, Math.max(W, 1), dtype)
  const fill: CaseInput['fill'] = dtype === 'i32' ? (i) => i * 7919 + cap : undefined
  return { ...rows, shape: W === 0 ? rows.shape.slice(0, 3) : rows.shape, ...(fill ? { fill } : {}) }
}

const at = (layout: SlotLayout, rows: Rows): OpCase<Attrs> => ({
  name: `B${layout.B} H${layout.H} cap ${layout.cap} to ${rows.capB} W${rows.W} ${rows.dtype} ${rows.budget ? `kept ${rows.budget}` : ''}`.trim(),
  inputs: {
    from: tableInput(layout, layout.cap, rows),
    to: tableInput(layout, rows.capB, rows),
    count: countInput(layout),
    ...(rows.budget ? { kept: keptInput(layout, rows.budget) } : {}),
  },
  attrs: {},
  // Rows are moved, not computed.
  tolerance: 0,
})

export const moveSlotsCases: OpCases<Attrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), { capB: 1, W: 1, dtype: 'f32' }),
    at(edgeLayout(2, 3, 40), { capB: 17, W: 64, dtype: 'bf16', budget: 16 }),
    at(edgeLayout(2, 3, 20), { capB: 50, W: 33, dtype: 'f16' }),
    at(edgeLayout(1, 5, 20), { capB: 20, W: 0, dtype: 'i32' }),
  ],
  fuzz: (random) => {
    const layout = randomLayout(random, 80)
    const budget = random.int(1, layout.cap)
    const dtype = (['f32', 'bf16', 'f16', 'f8', 'i32'] as const)[random.int(0, 4)]!
    const W = random.int(0, 40)
    return random.next() < 0.5
      ? at(layout, { capB: budget, W, dtype, budget })
      : at(layout, { capB: layout.cap + 3, W, dtype })
  },
}
