import { type Ablation, ablationShares, ablations, jointAblation } from './ablation-list.ts'
import { figureText } from './accuracy-section.ts'
import { type StudyPolicy, trainingLength } from './cells.ts'
import { markdownTable, shareText } from './markdown-table.ts'
import type { CellResult } from './results.ts'
import { type StudyTable, studyTable } from './study-table.ts'
import { studyTasks } from './study-texts.ts'

const place = { setting: 'stream', length: trainingLength } as const

/** Figures of one set of gates: a column per budget and task. */
function figures(table: StudyTable, gates: string | undefined, policy: StudyPolicy): string[] {
  return ablationShares.flatMap((share) =>
    studyTasks.map((task) =>
      figureText(
        table.get({
          ...place,
          task,
          policy,
          share: policy === 'full' ? 1 : share,
          ...(gates !== undefined && { gates }),
        }),
      ),
    ),
  )
}

const isMeasured = (texts: readonly string[]): boolean => texts.some((text) => text !== '–')

/** What each part of the training of gates is worth; nothing before the first ablation was measured. */
export function ablationSection(
  study: StudyTable,
  results: ReadonlyMap<string, CellResult>,
  questions: number,
): string[] {
  const table = studyTable(questions, results)
  const all: readonly Pick<Ablation, 'name' | 'what'>[] = [...ablations, jointAblation]
  const lines = all.map(({ name, what }) => [what, ...figures(table, name, 'trimkv')])
  const made = lines.filter(([, ...texts]) => isMeasured(texts))
  if (made.length === 0) return []
  const compared = [
    ['full cache', ...figures(study, undefined, 'full')],
    ['the bundled gates', ...figures(study, undefined, 'trimkv')],
    ...made,
    [`${jointAblation.what}: its full cache`, ...figures(table, jointAblation.name, 'full')],
  ].filter(([, ...texts]) => isMeasured(texts))
  const head = [
    'gates',
    ...ablationShares.flatMap((share) => studyTasks.map((task) => `${task} ${shareText(share)}`)),
  ]
  return [
    `## Ablations

Gates trained on the same model with a short run of its recipe, each with one thing made otherwise, measured as a stream of
${trainingLength} tokens; the budgets are ${ablationShares.map((share) => Math.round(share * trainingLength)).join(' and ')} tokens. Written by
\`pnpm --filter @trimkv/bench ablations\`.

${markdownTable(head, compared, 1)}`,
  ]
}
