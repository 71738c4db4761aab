import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

const gateFiles = ['retention_gates.safetensors', 'trimkv_weights.pth'] as const

/**
 * What results belong to: changes when the weights, the gates or anything else given does.
 * @param made beside the weights, the folder of gates, or the recipe gates are trained with
 */
export async function modelDigest(
  modelDir: string,
  made: { readonly gatesDir: string } | { readonly recipe: unknown },
): Promise<string> {
  const hash = createHash('sha256')
  hash.update(await readFile(join(modelDir, 'model.safetensors')))
  if ('recipe' in made) {
    hash.update(JSON.stringify(made.recipe))
  } else {
    const file = gateFiles.map((name) => join(made.gatesDir, name)).find((path) => existsSync(path))
    if (file === undefined) throw new Error(`${made.gatesDir} has none of ${gateFiles.join(', ')}`)
    hash.update(await readFile(file))
  }
  return hash.digest('hex').slice(0, 16)
}
