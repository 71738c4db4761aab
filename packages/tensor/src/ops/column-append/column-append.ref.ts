import type { RefArray, SlotValues } from '../../op.ts'
import type { ColumnAppendSlots } from './column-append.ts'

export function columnAppendRef({ values, slots, column }: SlotValues<ColumnAppendSlots, RefArray>): void {
  const [B, C, H] = values.shape as [number, number, number]
  const cap = column.shape[2]!
  for (let b = 0; b < B; b++) {
    for (let c = 0; c < C; c++) {
      for (let h = 0; h < H; h++) {
        const from = (b * C + c) * H + h
        column.data[(b * H + h) * cap + slots.data[from]!] = values.data[from]!
      }
    }
  }
}
