import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadModel, type Model } from '@trimkv/engine'
import { referenceModelDir } from '@trimkv/reference-model'
import { runFacts } from '../run-facts.ts'
import { ablationDigest } from './ablation-digest.ts'
import { type Ablation, ablationCells, ablations, jointAblation } from './ablation-list.ts'
import { measureCells } from './measure-cells.ts'
import { writeReport } from './report.ts'
import { runCell, type TextCache } from './run-cell.ts'
import { goesOn, stopSignal } from './stop-signal.ts'
import { defaultQuestions, studyPlaces, trainingFolder } from './study-places.ts'
import { type TrainingPlace, trainAblation, trainJointly } from './train-ablation.ts'

const names = [...ablations, jointAblation].map(({ name }) => name)
const usage = `Trains gates on the reference model, each time with one thing made otherwise, and measures them. Stop it at any
time; it goes on where it was.
  --only NAME     this one alone; may be given again: ${names.join(', ')}
  --joint         also model and gates trained together, which takes half as long as the reference model did
  --questions N   per cell at least (default ${defaultQuestions})
  --folder DIR    for results and report, to try things (default: bench/results and docs)
`
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    joint: { type: 'boolean', default: false },
    questions: { type: 'string', default: String(defaultQuestions) },
    folder: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const questions = Number(values.questions)
const signal = stopSignal()
const say = (line: string): void => void process.stderr.write(`${line}\n`)
const texts: TextCache = new Map()

const measured = (name: string, digest: string, model: Model): Promise<boolean> =>
  measureCells({
    cells: ablationCells(name, questions),
    results: studyPlaces(values.folder).ablations,
    digest,
    run: runFacts(),
    measure: (cell) => runCell(model, cell, { cache: texts, signal }),
    signal,
    say,
  })

/** A folder per digest: gates of another model or recipe are not taken for these. */
const placeOf = (name: string, digest: string): TrainingPlace => ({
  folder: join(trainingFolder, `${name}-${digest}`),
  signal,
  say,
})

async function ablate(ablation: Ablation): Promise<boolean> {
  const { name, what } = ablation
  say(`${name}: ${what}`)
  const digest = await ablationDigest(name)
  using bare = await loadModel(referenceModelDir)
  const gates = await trainAblation(bare, ablation, placeOf(name, digest))
  using model = await loadModel(referenceModelDir, { gates, device: bare.device })
  return await measured(name, digest, model)
}

async function joint(): Promise<boolean> {
  const { name, what } = jointAblation
  say(`${name}: ${what}`)
  const digest = await ablationDigest(name)
  using bare = await loadModel(referenceModelDir)
  const made = await trainJointly(bare, placeOf(name, digest))
  using model = await loadModel(made.model, { gates: made.gates, device: bare.device })
  return await measured(name, digest, model)
}

const wanted = (name: string): boolean =>
  values.only?.includes(name) ?? (name !== jointAblation.name || values.joint)

async function all(): Promise<boolean> {
  for (const ablation of ablations) {
    if (wanted(ablation.name) && !(await ablate(ablation))) return false
  }
  return !wanted(jointAblation.name) || (await joint())
}

const isKnown = (values.only ?? []).every((name) => names.includes(name))
if (values.help || !isKnown || !Number.isSafeInteger(questions) || questions < 1) {
  process.stdout.write(usage)
} else {
  const finished = await all().catch((error: unknown) => {
    if (signal.aborted) return false
    throw error
  })
  if (!finished) process.stderr.write(goesOn)
  await writeReport(studyPlaces(values.folder), questions)
}
