import { fileURLToPath } from 'node:url'

/** Absolute path of a recorded fixture of the repository. */
export const goldenPath = (relative: string): string =>
  fileURLToPath(new URL(`../../../e2e/golden/${relative}`, import.meta.url))
