import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { loadModel } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { runFacts } from '../run-facts.ts'
import { trainingLength } from './cells.ts'
import { modelDigest } from './model-digest.ts'
import { type RetentionRecord, writeReport } from './report.ts'
import { summary } from './retention-stats.ts'
import { stopSignal } from './stop-signal.ts'
import { defaultQuestions, studyPlaces } from './study-places.ts'
import { studyTasks, studyTexts } from './study-texts.ts'
import { watchRetention } from './watch-retention.ts'

const usage = `Looks at what the gates of the reference model make its heads keep, and draws it.
  --texts N       of each task (default 22)
  --budget N      tokens per layer and head (default: what the gates were trained for)
  --questions N   per cell of the report, as the study was run (default ${defaultQuestions})
  --folder DIR    for results and report, to try things (default: bench/results and docs)
`
const { values } = parseArgs({
  options: {
    texts: { type: 'string', default: '22' },
    budget: { type: 'string' },
    questions: { type: 'string', default: String(defaultQuestions) },
    folder: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

async function watch(textsPerTask: number): Promise<RetentionRecord> {
  using model = await loadModel(referenceModelDir, { gates: referenceGatesDir })
  const budget =
    values.budget === undefined ? (model.gatesBudget ?? trainingLength / 16) : Number(values.budget)
  const tokenizer = await model.tokenizer()
  const texts = studyTasks.flatMap((task) =>
    studyTexts({ task, setting: 'stream', length: trainingLength, texts: textsPerTask }, tokenizer),
  )
  const counts = await watchRetention(model, texts, { budget, signal: stopSignal() })
  const digest = await modelDigest(referenceModelDir, { gatesDir: referenceGatesDir })
  return { model: digest, run: runFacts(), summary: summary(counts) }
}

const textsPerTask = Number(values.texts)
if (values.help || !Number.isSafeInteger(textsPerTask) || textsPerTask < 1) {
  process.stdout.write(usage)
} else {
  const places = studyPlaces(values.folder)
  const record = await watch(textsPerTask)
  await mkdir(dirname(places.retention), { recursive: true })
  await writeFile(places.retention, `${JSON.stringify(record, null, 1)}\n`)
  await writeReport(places, Number(values.questions))
}
