import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Cell, cellKey } from './cells.ts'

/** A finished cell, one line of the results file. */
export interface CellResult {
  readonly cell: Cell
  /** Digest of the weights and gates it was measured with. */
  readonly model: string
  /** Of the tasks, raised when the same seed gives other texts. */
  readonly taskVersion: number
  /** Per text and question, the share of answer tokens that were right. */
  readonly shares: readonly (readonly number[])[]
  /** Per text and question, how many tokens back the answer was last seen. */
  readonly distances: readonly (readonly number[])[]
  readonly tokensPerSecond: number
  /** Why the policy cannot work in this setting; there are no shares then. */
  readonly refused?: string
  /** When, on what and at which commit. */
  readonly run: Readonly<Record<string, string>>
}

/** Finished cells of this model, by key; a line that a kill has cut short is left out, and measured again. */
export async function readResults(path: string, model: string): Promise<Map<string, CellResult>> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const results = new Map<string, CellResult>()
  for (const line of text.split('\n')) {
    const result = parsed(line)
    if (result?.model === model) results.set(cellKey(result.cell), result)
  }
  return results
}

function parsed(line: string): CellResult | undefined {
  try {
    return JSON.parse(line) as CellResult
  } catch {
    return undefined
  }
}

/** Adds a line; a half-written one before it is ended first. */
export async function appendResult(path: string, result: CellResult): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const before = await readFile(path, 'utf8').catch(() => '')
  const lead = before === '' || before.endsWith('\n') ? '' : '\n'
  await appendFile(path, `${lead}${JSON.stringify(result)}\n`)
}
