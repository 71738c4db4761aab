import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import { writeAtomically } from './atomic-write.ts'
import type { JsonObject } from './json-file.ts'

export const jsonText = (value: JsonObject): string => `${JSON.stringify(value, null, 2)}\n`

/**
 * Makes a folder of a model or of gates. `config.json` comes last: a folder without it is not taken for whole.
 * @param write writes the other files and gives their names
 * @returns the paths of all files
 */
export async function writeFolder(
  folder: string,
  config: JsonObject,
  write: () => Promise<readonly string[]>,
): Promise<string[]> {
  await mkdir(folder, { recursive: true }).catch((cause: Error) =>
    fail('TRIMKV_IO', `${folder} cannot be made`, { why: [cause.message], details: { folder }, cause }),
  )
  const names = await write()
  await writeAtomically(join(folder, 'config.json'), jsonText(config))
  return [...names, 'config.json'].map((name) => join(folder, name))
}
