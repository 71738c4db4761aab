import { figureText } from './accuracy-section.ts'
import { storagePolicies, storageShare, storedFormats, trainingLength } from './cells.ts'
import { markdownTable, shareText } from './markdown-table.ts'
import type { StudyTable } from './study-table.ts'
import { studyTasks } from './study-texts.ts'

/** What storing keys and values in fewer bits costs; nothing before it was measured. */
export function storageSection(table: StudyTable): string[] {
  const lines = [trainingLength, 4 * trainingLength].flatMap((length) =>
    storagePolicies.flatMap((policy) =>
      [undefined, ...storedFormats].map((kvDtype) => {
        const share = policy === 'full' ? 1 : storageShare
        const at = { setting: 'stream' as const, length, policy, share, ...(kvDtype && { kvDtype }) }
        const figures = studyTasks.map((task) => figureText(table.get({ ...at, task })))
        return [String(length), `${policy}, ${shareText(share)}`, kvDtype ?? 'f32', ...figures]
      }),
    ),
  )
  if (
    !lines.some(([, , format, ...figures]) => format !== 'f32' && figures.some((figure) => figure !== '–'))
  ) {
    return []
  }
  return [
    `## Storage of keys and values

The stream setting again, with keys and values rounded when they are stored: 16 bits, or the 8 bits of E4M3.

${markdownTable(['tokens', 'policy, budget', 'storage', ...studyTasks], lines, 3)}`,
  ]
}
