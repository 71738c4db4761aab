import { type StudyPolicy, studyPolicies, trainingLength } from './cells.ts'
import { markdownTable, percent, shareText } from './markdown-table.ts'
import type { StudyTable } from './study-table.ts'
import { studyTasks } from './study-texts.ts'

/** Ends of the bins, in tokens. */
const bins = [32, 64, 128, 256] as const
const share = 1 / 8

/** Share of right answers per distance bin over all tasks, as text; a dash where there are no questions. */
function byDistance(table: StudyTable, policy: StudyPolicy): string[] | undefined {
  const sums = bins.map(() => ({ right: 0, count: 0 }))
  const place = {
    setting: 'stream',
    length: trainingLength,
    policy,
    share: policy === 'full' ? 1 : share,
  } as const
  const results = studyTasks
    .map((task) => table.get({ ...place, task }))
    .filter((result) => result !== undefined)
  const answers = results.flatMap(({ shares, distances }) =>
    shares.flatMap((questions, text) =>
      questions.map((right, question) => ({ right, distance: distances[text]![question]! })),
    ),
  )
  if (answers.length === 0) return undefined
  for (const { right, distance } of answers) {
    const bin = sums[bins.findIndex((end) => distance <= end)]
    if (!bin) continue
    bin.right += right
    bin.count++
  }
  return sums.map(({ right, count }) => (count > 0 ? percent(right / count) : '–'))
}

/** Accuracy by how long ago the answer was last seen: what a window of recent tokens cannot do shows here. */
export function distanceTable(table: StudyTable): string[] {
  const lines = studyPolicies.flatMap((policy) => {
    const figures = byDistance(table, policy)
    return figures ? [[policy, ...figures]] : []
  })
  if (lines.length === 0) return []
  const head = ['policy', ...bins.map((end, i) => `${(bins[i - 1] ?? 0) + 1}–${end}`)]
  return [
    `## By distance

Stream, ${trainingLength} tokens, budget ${shareText(share)}, all tasks: tokens since the answer was last seen.

${markdownTable(head, lines, 1)}`,
  ]
}
