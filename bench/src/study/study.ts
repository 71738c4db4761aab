import { parseArgs } from 'node:util'
import { loadModel } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { runFacts } from '../run-facts.ts'
import { studyCells } from './cells.ts'
import { measureCells } from './measure-cells.ts'
import { modelDigest } from './model-digest.ts'
import { writeReport } from './report.ts'
import { runCell, type TextCache } from './run-cell.ts'
import { goesOn, stopSignal } from './stop-signal.ts'
import { defaultQuestions, studyPlaces } from './study-places.ts'

const usage = `Measures every policy on what the reference model was trained for. Stop it at any time; it goes on where it was.
  --quick         only as many cells as fit into 40 minutes, the most telling first
  --questions N   per cell at least (default ${defaultQuestions})
  --folder DIR    for results and report, to try things (default: bench/results and docs)
  --report        only write the report from what is there
`
const quickMinutes = 40

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    questions: { type: 'string', default: String(defaultQuestions) },
    folder: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

async function measure(questions: number): Promise<void> {
  const signal = stopSignal(values.quick ? quickMinutes : undefined)
  using model = await loadModel(referenceModelDir, { gates: referenceGatesDir })
  const cache: TextCache = new Map()
  const finished = await measureCells({
    cells: studyCells(questions),
    results: studyPlaces(values.folder).study,
    digest: await modelDigest(referenceModelDir, { gatesDir: referenceGatesDir }),
    run: runFacts(),
    measure: (cell) => runCell(model, cell, { cache, signal }),
    signal,
    say: (line) => void process.stderr.write(`${line}\n`),
  })
  if (!finished) process.stderr.write(goesOn)
}

const questions = Number(values.questions)
if (values.help || !Number.isSafeInteger(questions) || questions < 1) {
  process.stdout.write(usage)
} else {
  if (!values.report) await measure(questions)
  await writeReport(studyPlaces(values.folder), questions)
}
