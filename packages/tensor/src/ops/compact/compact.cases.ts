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
import type { CompactAttrs } from './compact.ts'

interface Rows {
  readonly budget: number
  /** Row width; 0 for a table without rows, [B, H, cap]. */
  readonly W: number
  readonly dtype: DType
}

function dataInput(layout: SlotLayout, { W, dtype }: Rows): CaseInput {
  const rows = slotRowsInput(layout, Math.max(W, 1), dtype)
  const fill: CaseInput['fill'] = dtype === 'i32' ? (i) => i * 7919 : undefined
  return { ...rows, shape: W === 0 ? rows.shape.slice(0, 3) : rows.shape, ...(fill ? { fill } : {}) }
}

const at = (layout: SlotLayout, rows: Rows, ordered: boolean): OpCase<CompactAttrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} budget ${rows.budget} W${rows.W} ${rows.dtype}${ordered ? ' ordered' : ''}`,
  inputs: { kept: keptInput(layout, rows.budget), count: countInput(layout), data: dataInput(layout, rows) },
  attrs: { ordered },
  // Rows are moved, not computed.
  tolerance: 0,
})

export const compactCases: OpCases<CompactAttrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), { budget: 1, W: 1, dtype: 'f32' }, true),
    at(edgeLayout(2, 3, 40), { budget: 16, W: 64, dtype: 'bf16' }, true),
    at(edgeLayout(2, 3, 40), { budget: 16, W: 64, dtype: 'bf16' }, false),
    at(edgeLayout(1, 5, 33), { budget: 50, W: 0, dtype: 'i32' }, false),
    at(edgeLayout(1, 5, 33), { budget: 9, W: 7, dtype: 'f16' }, false),
  ],
  fuzz: (random) => {
    const layout = randomLayout(random, 120)
    const dtype = (['f32', 'bf16', 'f16', 'f8', 'i32'] as const)[random.int(0, 4)]!
    return at(layout, { budget: random.int(1, layout.cap), W: random.int(0, 40), dtype }, random.next() < 0.5)
  },
}
