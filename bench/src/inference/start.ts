import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { fail } from '@trimkv/tensor'
import { runChild } from '../training/child-process.ts'
import { median, secondsOf } from '../training/interleaved.ts'
import { checkpointFolder } from './bench-files.ts'
import type { LoadTimes } from './load-times.ts'
import type { SectionOptions, SectionResult } from './section.ts'

const command = fileURLToPath(new URL('../../../packages/trimkv/bin/trimkv.mjs', import.meta.url))
const prompt = 'put key library . ida smiles happily while finn laughs . find key'

/** From the start of a process to the first text of its answer. */
const firstText = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const args = ['generate', referenceModelDir, '--gates', referenceGatesDir, '-q', '-p', prompt]
    const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.once('error', reject)
    child.stdout.once('data', () => {
      resolve()
      child.stdout.resume()
    })
    child.once('close', (code) => {
      if (code === 0) return
      try {
        fail('TRIMKV_INVARIANT', `trimkv generate ended with ${code}`)
      } catch (error) {
        reject(error)
      }
    })
  })

/** How long one waits before anything is there. */
export async function startSection({
  rounds,
  format,
  threads,
  weights,
}: SectionOptions): Promise<SectionResult> {
  const folder = await checkpointFolder(format)
  const child = { folder, threads }
  await runChild<LoadTimes>('../inference/load-times.ts', child) // the page cache is warm from here on
  const text: number[] = []
  const load: number[] = []
  const first: number[] = []
  for (let round = 0; round < rounds; round++) {
    text.push(await secondsOf(firstText))
    const times = await runChild<LoadTimes>('../inference/load-times.ts', child)
    load.push(times.load)
    first.push(times.firstToken)
  }
  return {
    about: `Waiting, in processes of their own, files in the page cache, ${weights}, ${threads} threads`,
    figures: [
      {
        name: 'bundled model: start of node to first text',
        value: median(text),
        goal: { atMost: 1 },
        unit: 'seconds',
      },
      { name: "loading Qwen3-0.6B's shape", value: median(load), goal: { atMost: 0.5 }, unit: 'seconds' },
      {
        name: 'its first token after a prompt of one, from a loaded model',
        value: median(first),
        unit: 'seconds',
      },
    ],
    windows: { text, load, first },
  }
}
