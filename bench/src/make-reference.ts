import { copyFile, cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadModel } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir, referenceTrainingDir } from '@trimkv/reference-model'
import { createDevice } from '@trimkv/tensor'
import {
  type ReferenceRequest,
  runFiles,
  type TrainResult,
  trainReferenceGates,
  trainReferenceModel,
} from '@trimkv/trainer'
import { runFacts } from './run-facts.ts'

// Makes the bundled model and its gates anew, as `trimkv train lm --recipe reference` and `trimkv train gates --recipe
// reference` do, and keeps the checkpoints from which e2e/reference-replay.test.ts trains the last steps again.
const isa = 'avx2'
const lastSteps = 20
const work = fileURLToPath(new URL('../.reference', import.meta.url))
const replayDir = fileURLToPath(new URL('../../e2e/golden/replay', import.meta.url))

/** Trains to the last step, with a stop `lastSteps` before it to keep the checkpoint. */
async function trainWithStop(
  name: 'model' | 'gates',
  train: (request: ReferenceRequest) => Promise<TrainResult>,
): Promise<TrainResult> {
  const folder = join(work, name)
  const request = { folder, out: join(work, `${name}-out`), checkpointEvery: 100 }
  const stop = new AbortController()
  await train({
    ...request,
    signal: stop.signal,
    onProgress: (event) => {
      if (event.kind === 'validation')
        process.stderr.write(`${name} ${event.step} ${JSON.stringify(event.terms)}\n`)
      if (event.kind === 'step' && event.step === event.steps - lastSteps) stop.abort()
    },
  }).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error
  })
  // A run that was finished before does not stop there again; its checkpoint was kept then.
  if (stop.signal.aborted) {
    await mkdir(replayDir, { recursive: true })
    await copyFile(runFiles(folder).checkpoint, join(replayDir, `${name}.safetensors`))
  }
  return train(request)
}

/** Metrics of a run, and what made it. */
async function keep(name: 'model' | 'gates', result: TrainResult): Promise<void> {
  await mkdir(referenceTrainingDir, { recursive: true })
  await copyFile(runFiles(join(work, name)).metrics, join(referenceTrainingDir, `${name}-metrics.jsonl`))
  const command = {
    model: 'trimkv train lm --recipe reference',
    gates: 'trimkv train gates --recipe reference',
  }[name]
  const { best, tokens, seconds, lastValidation } = result
  const facts = {
    command: `TRIMKV_CPU=${isa} ${command}`,
    ...made,
    tokens,
    seconds,
    best,
    lastValidation,
  }
  await writeFile(join(referenceTrainingDir, `${name}.json`), `${JSON.stringify(facts, null, 2)}\n`)
}

const made = runFacts()
using device = createDevice({ isa })
const model = await trainWithStop('model', (request) => trainReferenceModel(device, request))
await rm(referenceModelDir, { recursive: true, force: true })
await cp(join(work, 'model-out'), referenceModelDir, { recursive: true })
await keep('model', model)

using loaded = await loadModel(referenceModelDir, { device })
const { decoder, config } = loaded
const tokenizer = await loaded.tokenizer()
const gates = await trainWithStop('gates', (request) =>
  trainReferenceGates({ device, decoder, config, name: 'reference', tokenizer }, request),
)
await cp(join(work, 'gates-out'), referenceGatesDir, { recursive: true })
await keep('gates', gates)
