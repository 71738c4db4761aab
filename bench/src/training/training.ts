import { appendFile, mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { fail } from '@trimkv/tensor'
import { runFacts } from '../run-facts.ts'
import { attentionBenchmark } from './attention-benchmark.ts'
import { memoryBenchmark } from './memory-benchmark.ts'
import { qwen3Benchmark } from './qwen3-benchmark.ts'
import type { SectionOptions } from './report.ts'
import { stepBenchmark } from './step-benchmark.ts'

// Times training. Packages are used as built: `node tooling/run.mjs build` comes first. TRIMKV_CPU chooses the instruction
// set. Options: `--only step,attention,memory,qwen3` (default: all but qwen3, which takes minutes and 1.2 GB of disk for
// the time), `--rounds 9` windows of each kind.
const sections: Readonly<Record<string, (options: SectionOptions) => Promise<Record<string, unknown>>>> = {
  step: stepBenchmark,
  attention: attentionBenchmark,
  memory: memoryBenchmark,
  qwen3: qwen3Benchmark,
}
const results = fileURLToPath(new URL('../../results/', import.meta.url))

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'step,attention,memory' },
    rounds: { type: 'string', default: '9' },
  },
})
const rounds = Number(values.rounds)
if (!Number.isInteger(rounds) || rounds < 1)
  fail('TRIMKV_OPTION', `--rounds must be a whole number, got ${values.rounds}`)
const print = (line: string): void => void process.stdout.write(`${line}\n`)

await mkdir(results, { recursive: true })
for (const name of values.only.split(',')) {
  const section = sections[name]
  if (!section) {
    fail('TRIMKV_OPTION', `there is no section ${name}`, {
      hint: `choose ${Object.keys(sections).join(', ')}`,
    })
  }
  const result = await section({ rounds, print })
  const line = { section: name, ...result, run: runFacts() }
  await appendFile(`${results}training.jsonl`, `${JSON.stringify(line)}\n`)
}
