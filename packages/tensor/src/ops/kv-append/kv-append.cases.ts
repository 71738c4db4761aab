import type { DType } from '../../dtype.ts'
import type { CaseInput, OpCase, OpCases } from '../../op-case.ts'
import { randomLayout, type SlotLayout, slotIndexInput, slotRowsInput } from '../../slot-case-inputs.ts'

type Attrs = Record<never, never>
interface Sizes {
  readonly layout: SlotLayout
  readonly C: number
  readonly D: number
  readonly dtype: DType
  /** Victims by head, where the case has them. */
  readonly victims?: readonly number[]
}

function at({ layout, C, D, dtype, victims }: Sizes): OpCase<Attrs> {
  const { B, H } = layout
  const rows: CaseInput = { dtype: 'f32', shape: [B, C, H, D], strided: 3 }
  const perHead = (fill: (i: number) => number): CaseInput => ({
    dtype: 'i32',
    shape: [B, H],
    fill,
    strided: true,
  })
  const free = (i: number): number => Math.max(0, Math.min(layout.counts[i]!, layout.cap - C))
  return {
    name: `B${B} C${C} H${H} D${D} cap${layout.cap} ${dtype}${victims ? ' with victims' : ''}`,
    inputs: {
      k: rows,
      v: rows,
      index: { dtype: 'i32', shape: [B, C], fill: (i) => 1000 + i, strided: 1 },
      keys: slotRowsInput(layout, D, dtype),
      values: slotRowsInput(layout, D, dtype),
      slotIndex: slotIndexInput(layout),
      count: perHead(free),
      ...(victims ? { victim: perHead((i) => Math.min(victims[i]!, free(i) - 1)) } : {}),
    },
    attrs: {},
  }
}

const layout = (B: number, H: number, cap: number): SlotLayout => ({
  B,
  H,
  cap,
  counts: Array.from({ length: B * H }, (_, i) => (cap * (i + 1)) >> 2),
  order: 'ascending',
})

export const kvAppendCases: OpCases<Attrs> = {
  cases: [
    at({ layout: layout(1, 1, 1), C: 1, D: 1, dtype: 'f32' }),
    at({ layout: layout(2, 3, 20), C: 0, D: 8, dtype: 'bf16' }),
    at({ layout: layout(2, 2, 20), C: 1, D: 64, dtype: 'bf16', victims: [2, -1, 0, 4] }),
    at({ layout: layout(1, 2, 20), C: 5, D: 33, dtype: 'f16', victims: [2, -1] }),
    at({ layout: layout(3, 1, 80), C: 64, D: 128, dtype: 'bf16' }),
  ],
  fuzz: (random) => {
    const sizes = randomLayout(random, 90, 1)
    return at({
      layout: sizes,
      C: random.next() < 0.5 ? 1 : random.int(0, sizes.cap),
      D: random.int(1, 130),
      dtype: (['f32', 'bf16', 'f16', 'f8'] as const)[random.int(0, 3)]!,
      ...(random.next() < 0.5 ? { victims: sizes.counts.map(() => random.int(-1, 3)) } : {}),
    })
  },
  bench: [
    at({
      layout: { B: 4, H: 8, cap: 1040, counts: new Array(32).fill(1024), order: 'ascending' },
      C: 1,
      D: 128,
      dtype: 'bf16',
    }),
  ],
}
