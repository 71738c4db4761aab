import type { AttentionMemory } from './attention-memory.ts'
import { runChild } from './child-process.ts'
import { mebibytes, printTable, type SectionOptions } from './report.ts'

const lengths = [2048, 4096, 8192]

/** Memory of a gated attention with its backward, by length: linear when bytes per token stay what they are. */
export async function memoryBenchmark({ print }: SectionOptions): Promise<Record<string, unknown>> {
  const measured: AttentionMemory[] = []
  for (const length of lengths) measured.push(await runChild('./attention-memory.ts', { length }))
  const perToken = measured.map(({ peakBytes, length }) => peakBytes / length)
  const growth = perToken.at(-1)! / perToken[0]!
  print('Memory of a gated attention, forward and backward (B 1, Hq 16, H 8, D 128)')
  printTable(print, [
    ['tokens', 'inputs', 'program', 'peak above inputs', 'per token'],
    ...measured.map(({ length, inputBytes, programBytes, peakBytes }, index) => [
      String(length),
      mebibytes(inputBytes),
      mebibytes(programBytes),
      mebibytes(peakBytes),
      `${(perToken[index]! / 1024).toFixed(1)} KiB`,
    ]),
  ])
  print(
    `- bytes per token at ${lengths.at(-1)} are ${growth.toFixed(2)} × those at ${lengths[0]} (linear: 1, quadratic: 4)\n`,
  )
  return { measured, growth }
}
