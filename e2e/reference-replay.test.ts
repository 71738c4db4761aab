import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadModel } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir, referenceTrainingDir } from '@trimkv/reference-model'
import { createDevice } from '@trimkv/tensor'
import { type ReferenceRequest, trainReferenceGates, trainReferenceModel } from '@trimkv/trainer'
import { afterAll, describe, expect, it } from 'vitest'
import { goldenPath } from './golden.ts'

// Sums are taken in an order that the width of vectors decides: the recorded runs used this instruction set.
const isa = 'avx2'
const steps = 20

const root = mkdtempSync(join(tmpdir(), 'trimkv-replay-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

type Line = Readonly<Record<string, unknown>>

/** Lines of a metrics file without what a clock has said. */
function metrics(path: string): Line[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  return lines.map((line) => {
    const { seconds: _, tokensPerSecond: __, ...rest } = JSON.parse(line) as Line
    return rest
  })
}

const recordedMetrics = (name: string): Line[] => metrics(join(referenceTrainingDir, name))
const stepsOf = (lines: readonly Line[]): Line[] => lines.filter(({ kind }) => kind === 'step')

/** Trains in a folder of its own until a step, or to the end. */
async function replay(
  name: string,
  { checkpoint, until }: { checkpoint?: string; until?: number },
  run: (request: ReferenceRequest) => Promise<unknown>,
): Promise<{ readonly lines: Line[]; readonly out: string }> {
  const folder = join(root, name)
  const out = join(folder, 'out')
  mkdirSync(folder, { recursive: true })
  if (checkpoint !== undefined)
    copyFileSync(goldenPath('replay', checkpoint), join(folder, 'checkpoint.safetensors'))
  const stop = new AbortController()
  const enough = new Error('enough')
  await run({
    folder,
    out,
    checkpointEvery: 1000,
    signal: stop.signal,
    onProgress: (event) => {
      if (event.kind === 'step' && event.step === until) stop.abort(enough)
    },
  }).catch((error: unknown) => {
    if (error !== enough) throw error
  })
  return { lines: metrics(join(folder, 'metrics.jsonl')), out }
}

const sameBytes = (a: string, b: string): boolean => readFileSync(a).equals(readFileSync(b))

async function trainGates(request: ReferenceRequest): Promise<void> {
  using device = createDevice({ isa })
  using model = await loadModel(referenceModelDir, { device })
  const { decoder, config } = model
  const tokenizer = await model.tokenizer()
  await trainReferenceGates({ device, decoder, config, name: 'reference', tokenizer }, request)
}

async function trainModel(request: ReferenceRequest): Promise<void> {
  using device = createDevice({ isa })
  await trainReferenceModel(device, request)
}

describe.each([
  {
    name: 'model',
    train: trainModel,
    file: join(referenceModelDir, 'model.safetensors'),
    made: 'model.safetensors',
  },
  {
    name: 'gates',
    train: trainGates,
    file: join(referenceGatesDir, 'retention_gates.safetensors'),
    made: 'retention_gates.safetensors',
  },
])('the training of the reference $name', ({ name, train, file, made }) => {
  const recorded = recordedMetrics(`${name}-metrics.jsonl`)

  it(`gives the recorded losses in its first ${steps} steps`, { timeout: 120_000 }, async () => {
    const { lines } = await replay(`${name}-first`, { until: steps }, train)
    expect(stepsOf(lines)).toEqual(stepsOf(recorded).slice(0, steps))
  })

  it(`gives the recorded losses and the bundled weights in its last ${steps} steps`, {
    timeout: 120_000,
  }, async () => {
    const { lines, out } = await replay(`${name}-last`, { checkpoint: `${name}.safetensors` }, train)
    expect(stepsOf(lines)).toEqual(stepsOf(recorded).slice(-steps))
    expect(sameBytes(join(out, made), file)).toBe(true)
  })
})
