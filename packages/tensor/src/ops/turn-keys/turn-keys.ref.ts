import type { RefArray, SlotValues } from '../../op.ts'
import type { TurnKeysSlots } from './turn-keys.ts'

export function turnKeysRef({ kept, invFreq, keys }: SlotValues<TurnKeysSlots, RefArray>): void {
  const [B, H, cap, D] = keys.shape as [number, number, number, number]
  const budget = kept.shape[2]!
  const [rows, half] = invFreq.shape as [number, number]
  for (let head = 0; head < B * H; head++) {
    const sequence = rows === 1 ? 0 : Math.floor(head / H)
    for (let j = 0; j < budget; j++) {
      const from = kept.data[head * budget + j]!
      if (from < 0 || from === j) continue
      const at = (head * cap + j) * D
      for (let i = 0; i < half; i++) {
        const angle = Math.fround(Math.fround(j - from) * Math.fround(invFreq.data[sequence * half + i]!))
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
        const [a, b] = [keys.data[at + i]!, keys.data[at + half + i]!]
        keys.data[at + i] = a * cos - b * sin
        keys.data[at + half + i] = b * cos + a * sin
      }
    }
  }
}
