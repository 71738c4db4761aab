import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A recorded file. Fuzz targets run as one bundled file, from the root of the repository. */
export const goldenText = (path: string): string => readFileSync(join('e2e/golden', path), 'utf8')

/** Bytes of a recorded file. */
export const goldenBytes = (path: string): Buffer => readFileSync(join('e2e/golden', path))
