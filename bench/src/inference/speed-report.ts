import { readFile, writeFile } from 'node:fs/promises'
import { goalText, reached, valueText } from './figure-text.ts'
import type { Figure, SectionResult } from './section.ts'

/** A line of the results. */
export interface SectionLine extends SectionResult {
  readonly section: string
  readonly weights: string
  readonly threads: number
  readonly rounds: number
  /** What other processes used of the processors meanwhile. */
  readonly busyElsewhere: number
  readonly run: Readonly<Record<string, string>>
}

const titles: Readonly<Record<string, string>> = {
  decode: 'Decoding',
  prefill: 'Prompts',
  long: 'Long contexts',
  eviction: 'Eviction and gates',
  batch: 'Batches',
  start: 'Start',
  soak: 'A long run',
}

function verdict(figure: Figure): string {
  const met = reached(figure)
  return met === undefined ? '' : met ? 'reached' : 'missed'
}

function sectionText({ section, weights, about, figures, busyElsewhere, rounds, run }: SectionLine): string {
  const facts = Object.entries(run).map(([key, value]) => `${key} ${value}`)
  const conditions = `${rounds} windows; other processes used ${(100 * busyElsewhere).toFixed(0)} % of the processors meanwhile`
  const rows = figures.map((figure) => [figure.name, valueText(figure), goalText(figure), verdict(figure)])
  const table = [['', 'measured', 'goal', ''], ['---', '---:', '---:', '---'], ...rows]
  return [
    `## ${titles[section] ?? section}, ${weights}`,
    `${about}.`,
    `Measured: ${facts.join(', ')}; ${conditions}.`,
    table.map((cells) => `| ${cells.join(' | ')} |`).join('\n'),
  ].join('\n\n')
}

/** The latest line of each section and kind of weights, in the order of the titles. */
function latest(lines: readonly SectionLine[]): SectionLine[] {
  const byKey = new Map(lines.map((line) => [`${line.section} ${line.weights}`, line]))
  const order = Object.keys(titles)
  return [...byKey.values()].sort((a, b) => order.indexOf(a.section) - order.indexOf(b.section))
}

const introduction = `# Speed of inference

Written by \`pnpm --filter @trimkv/bench inference --report\` from what the same command without \`--report\` keeps in
\`bench/results/inference.jsonl\`.

Random weights in the shape of Qwen3-0.6B, two threads. llama.cpp runs in the same process through \`node-llama-cpp\`, on the
same weights in a format as wide, with its own f16 cache; ours is bf16. Everything compared is measured in turns, figures are
medians of windows and ratios are medians of ratios of neighbouring windows. Read bandwidth and FMA peak are measured between
the windows, by kernels that do nothing else. A step counts its logits and the choice of the next token on both sides.

Both models are files that the system has forgotten and reads anew when a section begins, as after a start. This project asks it
to read them in large pages. What was just written or copied stays in small ones until it is forgotten (or the machine starts
again), and in a virtual machine a step then takes up to twice as long: \`dd of=FILE oflag=nocache conv=notrunc,fdatasync count=0\`
makes Linux forget a file.`

/** Sections that no result speaks of. */
function missingText(lines: readonly SectionLine[]): string[] {
  const missing = Object.entries(titles).filter(([section]) =>
    lines.every((line) => line.section !== section),
  )
  if (missing.length === 0) return []
  return [`Not measured yet: ${missing.map(([section, title]) => `${title} (\`${section}\`)`).join(', ')}.`]
}

/** Writes the report of the latest results. */
export async function writeSpeedReport(results: string, report: string): Promise<void> {
  const text = await readFile(results, 'utf8')
  const lines = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as SectionLine)
  await writeFile(
    report,
    `${[introduction, ...missingText(lines), ...latest(lines).map(sectionText)].join('\n\n')}\n`,
  )
}
