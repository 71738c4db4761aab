import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChild } from './child-process.ts'
import { writeQwen3Checkpoint } from './qwen3-checkpoint.ts'
import type { GateStep } from './qwen3-step.ts'
import { mebibytes, printTable, type SectionOptions } from './report.ts'

const length = 2048
const goalBytes = 6 * 2 ** 30

/** One gate-training step of Qwen3-0.6B's shape, in a process of its own. Writes 1.2 GB to the temporary folder for the time. */
export async function qwen3Benchmark({ print }: SectionOptions): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(join(tmpdir(), 'trimkv-qwen3-'))
  try {
    await writeQwen3Checkpoint(folder)
    const step = await runChild<GateStep>('./qwen3-step.ts', { folder, length })
    print(
      `Gate-training step of Qwen3-0.6B's shape, ${length} tokens, recomputation, ${step.isa}, ${step.threads} threads`,
    )
    printTable(print, [
      ['', 'measured', 'goal'],
      ['peak resident memory', mebibytes(step.peakBytes), `≤ ${mebibytes(goalBytes)}`],
      ['of it not mapped weights', mebibytes(step.anonymousBytes), ''],
      ['device', mebibytes(step.deviceBytes), ''],
      ['seconds, recording included', step.seconds.toFixed(1), ''],
    ])
    return { length, goalBytes, ...step }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
