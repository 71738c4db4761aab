import { describe, expect, it } from 'vitest'
import { accuracyPicture } from './accuracy-picture.ts'
import { betaPicture } from './beta-picture.ts'
import { type Cell, cellKey, studyCells, studyPolicies } from './cells.ts'
import { classesPicture } from './classes-picture.ts'
import type { CellResult } from './results.ts'
import { emptyCounts, summary } from './retention-stats.ts'
import { studyTable } from './study-table.ts'
import { type WordClass, wordClasses } from './word-classes.ts'

const questions = 20
const shares = [[1], [0], [0.5]]
const resultOf = (cell: Cell): CellResult => ({
  cell,
  model: '',
  taskVersion: 1,
  shares,
  distances: [],
  tokensPerSecond: 1,
  run: {},
})
const results = new Map(studyCells(questions).map((cell) => [cellKey(cell), resultOf(cell)]))

const classes = Object.fromEntries(wordClasses.map((name, i) => [name, i])) as Record<WordClass, number>
const head = { ...emptyCounts(), beta: 8, tokens: 10, slots: 28, newest: 7, firstPossible: 4, kept: classes }
const retention = summary({
  budget: 16,
  texts: 1,
  heads: [
    [head, head],
    [head, head],
  ],
  read: classes,
  readTokens: 28,
})

/** Elements that were opened and not closed, from the outside in. */
function unclosed(svg: string): string[] {
  const open: string[] = []
  for (const [, closing, name, own] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
    if (closing) expect(open.pop()).toBe(name)
    else if (!own) open.push(name!)
  }
  return open
}

describe.each([
  ['accuracy', accuracyPicture(studyTable(questions, results))],
  ['nothing measured', accuracyPicture(studyTable(questions, new Map()))],
  ['mean β', betaPicture(retention)],
  ['classes', classesPicture(retention)],
])('the picture of %s', (_, svg) => {
  it('is well formed and has no number that is none', () => {
    expect(unclosed(svg)).toEqual([])
    expect(svg).not.toMatch(/NaN|undefined|Infinity/)
  })

  it('stays inside its frame', () => {
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number)
    for (const [, axis, value] of svg.matchAll(/ (x|x1|x2|cx|y|y1|y2|cy)="(-?[\d.]+)"/g)) {
      expect(Number(value)).toBeGreaterThanOrEqual(0)
      expect(Number(value)).toBeLessThanOrEqual(axis!.includes('x') ? width! : height!)
    }
  })
})

it('draws a curve per policy and task', () => {
  const svg = accuracyPicture(studyTable(questions, results))
  expect(svg.match(/<polyline/g)).toHaveLength(3 * (studyPolicies.length - 1))
})

it('leaves out what a policy refused', () => {
  const refused = new Map(
    [...results].map(([key, result]) => [key, { ...result, shares: [], refused: 'no' }]),
  )
  expect(accuracyPicture(studyTable(questions, refused))).not.toContain('<polyline')
})
