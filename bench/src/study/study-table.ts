import { type Cell, cellKey } from './cells.ts'
import type { CellResult } from './results.ts'

/** Results looked up by what varies. */
export interface StudyTable {
  get(cell: Omit<Cell, 'questions'>): CellResult | undefined
}

export const studyTable = (questions: number, results: ReadonlyMap<string, CellResult>): StudyTable => ({
  get: (cell) => results.get(cellKey({ ...cell, questions })),
})
