import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Cell, cellKey, studyCells } from './cells.ts'
import { type CellsJob, measureCells } from './measure-cells.ts'
import { appendResult, type CellResult, readResults } from './results.ts'

const cells = studyCells(20).slice(0, 4)

const outcome = (cell: Cell): Omit<CellResult, 'model' | 'run'> => ({
  cell,
  taskVersion: 1,
  shares: [[1, 0.5]],
  distances: [[3, 4]],
  tokensPerSecond: 10,
})

let folder = ''
let path = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trimkv-study-'))
  path = join(folder, 'deep', 'study.jsonl')
})
afterEach(() => rm(folder, { recursive: true }))

/** Runs the job and gives the keys of the cells it measured. */
async function measuredKeys(change: Partial<CellsJob> = {}): Promise<{ keys: string[]; finished: boolean }> {
  const keys: string[] = []
  const finished = await measureCells({
    cells,
    results: path,
    digest: 'one',
    run: {},
    measure: (cell) => {
      keys.push(cellKey(cell))
      return Promise.resolve(outcome(cell))
    },
    signal: new AbortController().signal,
    say: () => {},
    ...change,
  })
  return { keys, finished }
}

describe('the results file', () => {
  it('gives back what was added', async () => {
    const result: CellResult = { ...outcome(cells[0]!), model: 'one', run: { day: 'today' } }
    await appendResult(path, result)
    expect(await readResults(path, 'one')).toEqual(new Map([[cellKey(cells[0]!), result]]))
  })

  it('is empty before it exists', async () => {
    expect((await readResults(path, 'one')).size).toBe(0)
  })

  it('leaves out a line that was cut short, and goes on behind it', async () => {
    const [first, second] = cells.map((cell): CellResult => ({ ...outcome(cell), model: 'one', run: {} }))
    await appendResult(path, first!)
    await appendFile(path, JSON.stringify(second).slice(0, 40))
    expect((await readResults(path, 'one')).size).toBe(1)
    await appendResult(path, second!)
    expect([...(await readResults(path, 'one')).keys()]).toEqual(cells.slice(0, 2).map(cellKey))
  })

  it('does not take results of another model', async () => {
    await appendResult(path, { ...outcome(cells[0]!), model: 'two', run: {} })
    expect((await readResults(path, 'one')).size).toBe(0)
  })
})

describe('measureCells', () => {
  it('measures all, and nothing twice', async () => {
    expect(await measuredKeys()).toEqual({ keys: cells.map(cellKey), finished: true })
    expect(await measuredKeys()).toEqual({ keys: [], finished: true })
  })

  it('measures everything again for another model', async () => {
    await measuredKeys()
    expect((await measuredKeys({ digest: 'two' })).keys).toHaveLength(cells.length)
  })

  it('keeps all finished cells when it is stopped inside one, and goes on with that one', async () => {
    const stop = new AbortController()
    const third = cellKey(cells[2]!)
    const stopped = await measuredKeys({
      signal: stop.signal,
      measure: (cell) => {
        if (cellKey(cell) !== third) return Promise.resolve(outcome(cell))
        stop.abort(new Error('stopped'))
        return Promise.reject(stop.signal.reason as Error)
      },
    })
    expect(stopped.finished).toBe(false)
    expect((await measuredKeys()).keys).toEqual(cells.slice(2).map(cellKey))
  })

  it('passes on what goes wrong', async () => {
    const broken = { measure: () => Promise.reject(new Error('broken')) }
    await expect(measuredKeys(broken)).rejects.toThrow('broken')
  })

  it('writes whole lines', async () => {
    await measuredKeys()
    const lines = (await readFile(path, 'utf8')).trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as CellResult).cell)).toEqual(cells)
  })
})
