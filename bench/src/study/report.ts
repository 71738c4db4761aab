import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { ablationDigest } from './ablation-digest.ts'
import { ablations, jointAblation } from './ablation-list.ts'
import { ablationSection } from './ablation-section.ts'
import { accuracyPicture } from './accuracy-picture.ts'
import { accuracySection, type StudyPlace } from './accuracy-section.ts'
import { betaPicture } from './beta-picture.ts'
import { type Cell, cellKey, studyCells, trainingLength } from './cells.ts'
import { classesPicture } from './classes-picture.ts'
import { distanceTable } from './distance-table.ts'
import { modelDigest } from './model-digest.ts'
import { type CellResult, readResults } from './results.ts'
import { retentionSection } from './retention-section.ts'
import type { RetentionSummary } from './retention-stats.ts'
import { storageSection } from './storage-section.ts'
import type { StudyPlaces } from './study-places.ts'
import { studyTable } from './study-table.ts'

/** What `retention` measures, as kept in its file. */
export interface RetentionRecord {
  /** Digest of the model and its gates. */
  readonly model: string
  readonly run: CellResult['run']
  readonly summary: RetentionSummary
}

async function readRetention(path: string, model: string): Promise<RetentionSummary | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const record = JSON.parse(text) as RetentionRecord
  return record.model === model ? record.summary : undefined
}

/** Results of all ablations, each of the gates that its recipe makes now. */
async function readAblations(path: string): Promise<Map<string, CellResult>> {
  const all = new Map<string, CellResult>()
  for (const { name } of [...ablations, jointAblation]) {
    for (const [key, result] of await readResults(path, await ablationDigest(name))) {
      if (result.cell.gates === name) all.set(key, result)
    }
  }
  return all
}

function introduction(cells: readonly Cell[], results: ReadonlyMap<string, CellResult>): string {
  const measured = cells.filter((cell) => results.has(cellKey(cell))).length
  const facts = Object.entries([...results.values()].at(-1)?.run ?? {}).map(
    ([key, value]) => `${key} ${value}`,
  )
  return `# Study of the reference model

Written by \`pnpm --filter @trimkv/bench study\` from what it keeps in \`bench/results\`.

${measured} of ${cells.length} cells measured${facts.length > 0 ? `: ${facts.join(', ')}` : ''}.

Share of answer tokens that are the most likely one where they stand, in percent, with 95 % intervals from texts drawn again
with replacement; at least ${cells[0]?.questions ?? 0} questions per cell, the same texts for every policy. \`trimkv-buffered\` holds as many
entries at its peak as the others, a quarter of them as a buffer.`
}

const studied: readonly StudyPlace[] = [trainingLength, 4 * trainingLength].flatMap((length) => [
  { setting: 'stream' as const, length },
  { setting: 'query-aware' as const, length },
])

/** Writes the report and its pictures from what has been measured so far. */
export async function writeReport(places: StudyPlaces, questions: number): Promise<void> {
  const digest = await modelDigest(referenceModelDir, { gatesDir: referenceGatesDir })
  const results = await readResults(places.study, digest)
  const retention = await readRetention(places.retention, digest)
  const table = studyTable(questions, results)
  const pictures = {
    'accuracy.svg': accuracyPicture(table),
    ...(retention && {
      'mean-beta.svg': betaPicture(retention),
      'kept-classes.svg': classesPicture(retention),
    }),
  }
  const sections = [
    introduction(studyCells(questions), results),
    `![Accuracy by budget, stream, ${trainingLength} tokens](pictures/accuracy.svg)`,
    ...studied.map((place) => accuracySection(table, place)),
    ...storageSection(table),
    ...distanceTable(table),
    ...ablationSection(table, await readAblations(places.ablations), questions),
    ...(retention ? [retentionSection(retention)] : []),
  ]
  await mkdir(places.pictures, { recursive: true })
  for (const [name, picture] of Object.entries(pictures))
    await writeFile(join(places.pictures, name), picture)
  await writeFile(places.report, `${sections.join('\n\n')}\n`)
}
