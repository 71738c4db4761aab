import type { DType } from '../../dtype.ts'
import type { CaseInput, OpCase, OpCases } from '../../op-case.ts'
import {
  countInput,
  edgeLayout,
  randomLayout,
  type SlotLayout,
  slotRowsInput,
} from '../../slot-case-inputs.ts'

type Attrs = Record<never, never>

/** @param W row width; 0 for a table without rows, [B, H, cap] */
function at(layout: SlotLayout, W: number, dtype: DType): OpCase<Attrs> {
  const rows = slotRowsInput(layout, Math.max(W, 1), dtype)
  const fill: CaseInput['fill'] = dtype === 'i32' ? (i) => i * 7919 : undefined
  const data = { ...rows, shape: W === 0 ? rows.shape.slice(0, 3) : rows.shape, ...(fill ? { fill } : {}) }
  return {
    name: `B${layout.B} H${layout.H} cap${layout.cap} W${W} ${dtype}`,
    inputs: { count: countInput(layout), data },
    attrs: {},
    tolerance: 0,
  }
}

export const clearSlotsCases: OpCases<Attrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), 1, 'f32'),
    at(edgeLayout(2, 3, 40), 16, 'bf16'),
    // Several pages to a head.
    at(edgeLayout(1, 5, 300), 128, 'f16'),
    at(edgeLayout(2, 3, 5000), 0, 'i32'),
  ],
  fuzz: (random) => {
    const dtype = (['f32', 'bf16', 'f16', 'i32'] as const)[random.int(0, 3)]!
    return at(randomLayout(random, 400), random.int(0, 60), dtype)
  },
}
