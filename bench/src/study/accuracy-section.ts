import {
  budgetShares,
  type Cell,
  heuristics,
  type StudyPolicy,
  studyPolicies,
  trainingLength,
} from './cells.ts'
import { markdownTable, percent, shareText } from './markdown-table.ts'
import type { CellResult } from './results.ts'
import { estimate, pairedTest } from './statistics.ts'
import type { StudyTable } from './study-table.ts'
import { type StudySetting, studyTasks } from './study-texts.ts'

/** Where policies are compared. */
export interface StudyPlace {
  readonly setting: StudySetting
  readonly length: number
}

/** A figure with its interval, `n/a` where the policy refused, a dash where nothing was measured. */
export function figureText(result: CellResult | undefined): string {
  if (!result) return '–'
  if (result.refused !== undefined) return 'n/a'
  const { mean, low, high } = estimate(result.shares)
  return `${percent(mean)} (${percent(low)}–${percent(high)})`
}

interface Line {
  readonly policy: StudyPolicy
  readonly share: number
  readonly found: readonly (CellResult | undefined)[]
}

function linesAt(table: StudyTable, place: StudyPlace): Line[] {
  const at = (policy: StudyPolicy, share: number): Line => ({
    policy,
    share,
    found: studyTasks.map((task) => table.get({ ...place, task, policy, share })),
  })
  const cut = budgetShares.flatMap((share) =>
    studyPolicies.filter((policy) => policy !== 'full').map((policy) => at(policy, share)),
  )
  return [at('full', 1), ...cut].filter(({ found }) => found.some((result) => result !== undefined))
}

function refusals(lines: readonly Line[]): string {
  const reasons = new Set(
    lines.flatMap(({ policy, found }) =>
      found.flatMap((result) => (result?.refused === undefined ? [] : [`${policy}: ${result.refused}`])),
    ),
  )
  return reasons.size === 0 ? '' : `\n\nNot applicable: ${[...reasons].join('; ')}.`
}

function accuracyTable(table: StudyTable, place: StudyPlace): string {
  const lines = linesAt(table, place)
  if (lines.length === 0) return 'Not measured.'
  const rows = lines.map(({ policy, share, found }) => [shareText(share), policy, ...found.map(figureText)])
  return `${markdownTable(['budget', 'policy', ...studyTasks], rows, 2)}${refusals(lines)}`
}

const measured = (result: CellResult | undefined): result is CellResult =>
  result !== undefined && !result.refused

/** The heuristic with the highest accuracy at a place, and how sure the lead of TRIM-KV over it is. */
function duel(table: StudyTable, cell: Omit<Cell, 'questions' | 'policy'>): string[] | undefined {
  const ours = table.get({ ...cell, policy: 'trimkv' })
  const full = table.get({ ...cell, policy: 'full', share: 1 })
  const [best] = heuristics
    .map((policy) => ({ policy, result: table.get({ ...cell, policy }) }))
    .flatMap(({ policy, result }) =>
      measured(result) ? [{ policy, result, mean: estimate(result.shares).mean }] : [],
    )
    .sort((a, b) => b.mean - a.mean)
  if (!measured(ours) || !measured(full) || !best) return undefined
  const own = estimate(ours.shares).mean
  const p = pairedTest(ours.shares, best.result.shares)
  return [
    shareText(cell.share),
    cell.task,
    percent(own),
    `${percent(own / estimate(full.shares).mean || 0)} %`,
    `${best.policy} ${percent(best.mean)}`,
    p < 1e-4 ? '< 0.0001' : p.toFixed(4),
  ]
}

function duels(table: StudyTable, place: StudyPlace): string {
  const lines = budgetShares.flatMap((share) =>
    studyTasks.flatMap((task) => {
      const line = duel(table, { ...place, task, share })
      return line ? [line] : []
    }),
  )
  if (lines.length === 0) return ''
  const head = ['budget', 'task', 'TRIM-KV', 'of full cache', 'best heuristic', 'p']
  return `\n\nTRIM-KV against the best heuristic of each line; p of a one-sided paired test over texts:

${markdownTable(head, lines, 2)}`
}

const settingText: Record<StudySetting, string> = {
  stream: 'Facts pass by before anything asks for them; the cache is cut after every token.',
  'query-aware':
    'The whole text is read, and what will be asked for; then the cache is cut once to the budget, and the question follows.',
}

/** What every policy gets right in one setting at one length. */
export function accuracySection(table: StudyTable, place: StudyPlace): string {
  const { setting, length } = place
  const where =
    length === trainingLength
      ? 'The length gates are trained at.'
      : 'Four times the length gates are trained at.'
  return `## ${setting === 'stream' ? 'Stream' : 'Query-aware'}, ${length} tokens

${where} ${settingText[setting]}

${accuracyTable(table, place)}${duels(table, place)}`
}
