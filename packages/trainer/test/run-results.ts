import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** All that a run leaves which must not depend on when it was interrupted: its files, without the times in them. */
export async function runResults(folder: string): Promise<Record<string, unknown>> {
  const lines = (await readFile(join(folder, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n')
  return {
    checkpoint: await readFile(join(folder, 'checkpoint.safetensors'), 'base64'),
    best: await readFile(join(folder, 'best.safetensors'), 'base64'),
    metrics: lines.map((line) => ({ ...JSON.parse(line), seconds: 0, tokensPerSecond: 0 })),
  }
}
