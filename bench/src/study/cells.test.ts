import { describe, expect, it } from 'vitest'
import { ablationCells, ablations, jointAblation } from './ablation-list.ts'
import { cellBudget, cellKey, studyCells } from './cells.ts'

const cells = studyCells()

describe('studyCells', () => {
  it('has no cell twice, ablations included', () => {
    const all = [...cells, ...[...ablations, jointAblation].flatMap(({ name }) => ablationCells(name, 500))]
    expect(new Set(all.map(cellKey)).size).toBe(all.length)
  })

  it('begins with the stream at the length of training: all tasks, policies and budgets', () => {
    const first = cells.slice(0, 123)
    expect(first.every(({ setting, length }) => setting === 'stream' && length === 256)).toBe(true)
    expect(new Set(first.map(({ share }) => share))).toEqual(new Set([1, 1 / 16, 1 / 8, 1 / 4, 1 / 2]))
    expect(cells[123]).toMatchObject({ setting: 'query-aware' })
  })

  it('gives a buffered cell as many entries at its peak as the others', () => {
    for (const cell of cells) {
      const { budget, buffer = 1 } = cellBudget(cell)
      expect(Number.isInteger(budget) && Number.isInteger(buffer)).toBe(true)
      expect(budget + buffer - 1).toBe(cell.share * cell.length)
    }
  })
})
