import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Files of the study: what was measured, and what is written from it. */
export interface StudyPlaces {
  /** One line per finished cell. */
  readonly study: string
  readonly ablations: string
  readonly retention: string
  readonly report: string
  /** Folder, beside the report. */
  readonly pictures: string
}

const inRepository = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

/** Questions per cell at least. */
export const defaultQuestions = 500

/** Where trained gates of ablations are kept; not part of the repository. */
export const trainingFolder: string = inRepository('bench/.study')

/**
 * @param folder for results and report alike; unless given, results are kept in the repository and the report is written
 *   into its documents
 */
export function studyPlaces(folder?: string): StudyPlaces {
  const results = folder ?? inRepository('bench/results')
  const documents = folder ?? inRepository('docs')
  return {
    study: join(results, 'study.jsonl'),
    ablations: join(results, 'ablations.jsonl'),
    retention: join(results, 'retention.json'),
    report: join(documents, 'study.md'),
    pictures: join(documents, 'pictures'),
  }
}
