import { appendFile, mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { fail } from '@trimkv/tensor'
import { runFacts } from '../run-facts.ts'
import { percent, printTable } from '../training/report.ts'
import { batchSection } from './batch.ts'
import { decodeSection } from './decode.ts'
import { evictionSection } from './eviction.ts'
import { goalText, valueText } from './figure-text.ts'
import { longSection } from './long.ts'
import { OtherWork } from './other-work.ts'
import { prefillSection } from './prefill.ts'
import type { Section } from './section.ts'
import { soakSection } from './soak.ts'
import { type SectionLine, writeSpeedReport } from './speed-report.ts'
import { startSection } from './start.ts'
import { weightFormat } from './weight-formats.ts'

// Times inference against llama.cpp. Packages are used as built: `node tooling/run.mjs build` comes first. TRIMKV_CPU chooses
// the instruction set. Options: `--only decode,prefill` (default: all sections), `--weights bf16`, `--threads 2`, `--rounds 9`,
// `--longest 16384` (of `long`, where llama.cpp reads 16,384 tokens for the first time in some twenty minutes);
// `--report` measures nothing and writes docs/speed.md from the results. The first run writes 2.4 GB to the temporary folder,
// `long` 5.6 GB more. llama.cpp waits in loops: on a busy machine it falls behind by multiples, so look at what others use.
const sections: Readonly<Record<string, Section>> = {
  decode: decodeSection,
  prefill: prefillSection,
  batch: batchSection,
  eviction: evictionSection,
  start: startSection,
  soak: soakSection,
  long: longSection,
}
const results = fileURLToPath(new URL('../../results/', import.meta.url))
const resultLines = `${results}inference.jsonl`
const report = fileURLToPath(new URL('../../../docs/speed.md', import.meta.url))

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(sections).join(',') },
    weights: { type: 'string', default: 'bf16' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '9' },
    longest: { type: 'string', default: '16384' },
    report: { type: 'boolean', default: false },
  },
})

function wholeNumber(name: 'threads' | 'rounds' | 'longest'): number {
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= 1) return number
  return fail('TRIMKV_OPTION', `--${name} must be a whole number, got ${values[name]}`)
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)
const options = {
  weights: values.weights,
  format: weightFormat(values.weights),
  threads: wholeNumber('threads'),
  rounds: wholeNumber('rounds'),
  longest: wholeNumber('longest'),
  print,
}
const names = values.report ? [] : values.only.split(',')
for (const name of names) {
  if (name in sections) continue
  fail('TRIMKV_OPTION', `there is no section ${name}`, {
    hint: `choose ${Object.keys(sections).join(', ')}`,
  })
}
await mkdir(results, { recursive: true })
for (const name of names) {
  const others = new OtherWork()
  const result = await sections[name]!(options)
  const busyElsewhere = others.share()
  print(`${result.about}; other processes used ${percent(busyElsewhere)} of the processors`)
  printTable(print, [
    ['', 'measured', 'goal'],
    ...result.figures.map((figure) => [figure.name, valueText(figure), goalText(figure)]),
  ])
  const { weights, threads, rounds } = options
  const line: SectionLine = {
    section: name,
    weights,
    threads,
    rounds,
    ...result,
    busyElsewhere,
    run: runFacts(),
  }
  await appendFile(resultLines, `${JSON.stringify(line)}\n`)
}
if (values.report) await writeSpeedReport(resultLines, report)
