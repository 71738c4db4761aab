import { type Cell, cellKey } from './cells.ts'
import { appendResult, type CellResult, readResults } from './results.ts'

export interface CellsJob {
  readonly cells: readonly Cell[]
  /** File with one line per finished cell. */
  readonly results: string
  /** Digest of the model: results of others do not count. */
  readonly digest: string
  readonly run: CellResult['run']
  readonly measure: (cell: Cell) => Promise<Omit<CellResult, 'model' | 'run'>>
  /** Ends the work; the cell that is being measured is then lost, all others are kept. */
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

/**
 * Measures the cells that the file does not have yet, each written as soon as it is done.
 * @returns whether all cells are measured; not so when it was stopped
 */
export async function measureCells(job: CellsJob): Promise<boolean> {
  const { cells, results, digest, run, measure, signal, say } = job
  const done = await readResults(results, digest)
  const left = cells.filter((cell) => !done.has(cellKey(cell)))
  const start = performance.now()
  for (const [index, cell] of left.entries()) {
    const elapsed = performance.now() - start
    const eta =
      index > 0
        ? `, ${Math.ceil((elapsed / index) * ((left.length - index) / 60_000))} min left at this pace`
        : ''
    say(`${cells.length - left.length + index + 1}/${cells.length} ${cellKey(cell)}${eta}`)
    try {
      signal.throwIfAborted()
      await appendResult(results, { ...(await measure(cell)), model: digest, run })
    } catch (error) {
      if (signal.aborted) return false
      throw error
    }
  }
  return true
}
