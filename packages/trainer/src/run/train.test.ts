import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSafetensors, readTensorData } from '@trimkv/io'
import { createDevice, type Device } from '@trimkv/tensor'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { lineFitRun } from '../../test/line-fit-run.ts'
import { runResults } from '../../test/run-results.ts'
import type { Trainable } from '../trainable.ts'
import { type TrainRequest, train } from './train.ts'
import type { TrainEvent } from './train-event.ts'

let device: Device
let home: string
let straight: Record<string, unknown>
let count = 0
let folder: string
beforeAll(async () => {
  device = createDevice({ threads: 2 })
  home = await mkdtemp(join(tmpdir(), 'trimkv-train-'))
  await train(lineFitRun(device, join(home, 'straight')))
  straight = await runResults(join(home, 'straight'))
})
afterAll(async () => {
  device[Symbol.dispose]()
  await rm(home, { recursive: true, force: true })
})
beforeEach(() => {
  folder = join(home, `run-${count++}`)
})

/** The run of the fixture with some of it replaced. */
const fit = (more: Partial<TrainRequest> = {}): TrainRequest => ({ ...lineFitRun(device, folder), ...more })

/** A trainable that calls `before` ahead of each of its micro-batches, counted from 1. */
function watched(trainable: Trainable, before: (call: number) => void): Trainable {
  let call = 0
  return {
    ...trainable,
    accumulate: (batch, options) => {
      before(++call)
      return trainable.accumulate(batch, options)
    },
  }
}

const stepOf = async (): Promise<number> => {
  const { metadata } = await openSafetensors(join(folder, 'checkpoint.safetensors'))
  return JSON.parse(metadata.run!).state.step
}

describe('train', () => {
  it('lowers the loss, keeps the best parameters, and sums up', async () => {
    const events: TrainEvent[] = []
    const request = fit({ onProgress: (event) => events.push(event) })
    const result = await train(request)
    const validations = events.filter((event) => event.kind === 'validation')
    expect(validations.map(({ step }) => step)).toEqual([0, 5, 10, 15, 20, 23])
    const smallest = Math.min(...validations.map(({ terms }) => terms.loss!))
    expect(smallest).toBeLessThan(validations[0]!.terms.loss! * 0.5)
    expect(result).toMatchObject({
      step: 23,
      tokens: 23 * 2 * 4 * 32,
      best: { term: 'loss', value: smallest },
    })
    expect(result.lastStep?.step).toBe(23)
    expect(result.lastValidation?.terms.loss).toBe(validations.at(-1)?.terms.loss)

    const saved = await openSafetensors(join(folder, 'best.safetensors'))
    expect([...saved.tensors.keys()].sort()).toEqual(['bias', 'weight'])
    expect(JSON.parse(saved.metadata.best!)).toEqual(result.best)
    const { trainable } = request
    expect(await readTensorData(saved.tensors.get('weight')!)).toEqual(trainable.parameters[0]!.tensor.read())
    const steps = events.filter((event) => event.kind === 'step')
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 23 }, (_, index) => index + 1))
    expect(steps[0]).toMatchObject({ steps: 23, learningRate: 0.025 })
    expect(steps[0]!.etaSeconds).toBeGreaterThan(0)
    expect(steps.at(-1)!.etaSeconds).toBe(0)
  })

  it('gives the same bits whatever the number of threads and however often checkpoints are written', async () => {
    using single = createDevice({ threads: 1 })
    const run = lineFitRun(single, folder)
    await train({ ...run, options: { ...run.options, checkpointEvery: 100 } })
    expect(await runResults(folder)).toEqual(straight)
  })

  it('follows the term that is to grow', async () => {
    const { validation } = fit()
    const request = fit({ validation: { ...validation!, best: { term: 'fit', direction: 'max' } } })
    const { best, lastValidation } = await train(request)
    expect(best).toEqual({ step: 23, term: 'fit', value: lastValidation?.terms.fit })
    const missing = fit({
      folder: `${folder}-missing`,
      validation: { ...validation!, best: { term: 'accuracy', direction: 'max' } },
    })
    await expect(train(missing)).rejects.toMatchObject({
      code: 'TRIMKV_OPTION',
      message: expect.stringContaining('"accuracy"'),
    })
  })

  it('does nothing more when it is called again after the end', async () => {
    const first = await train(fit())
    const events: TrainEvent[] = []
    expect(await train(fit({ onProgress: (event) => events.push(event) }))).toEqual(first)
    expect(events).toEqual([{ kind: 'resume', step: 23 }])
    expect(await runResults(folder)).toEqual(straight)
  })
})

describe('an aborted run', () => {
  it('writes a checkpoint of its last whole step, and goes on to the same bytes', async () => {
    const reason = new Error('enough for today')
    const controllers = [3, 20, 31].map((call) => ({ call, controller: new AbortController() }))
    for (const { call, controller } of controllers) {
      const run = fit()
      const stops = (now: number): void => (now === call ? controller.abort(reason) : undefined)
      const trainable = watched(run.trainable, stops)
      const stopped = train({ ...run, trainable, signal: controller.signal })
      if (call < 31) await expect(stopped).rejects.toBe(reason)
      else await stopped
    }
    expect(await runResults(folder)).toEqual(straight)
  })

  it('repeats a validation that it was aborted in', async () => {
    const controller = new AbortController()
    const run = fit()
    const evaluate: Trainable['evaluate'] = async (batch, options) => {
      if ((run.data.state() as { next: number }).next >= 20) controller.abort()
      return run.trainable.evaluate(batch, options)
    }
    const stopped = train({ ...run, trainable: { ...run.trainable, evaluate }, signal: controller.signal })
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' })
    expect(await stepOf()).toBe(10)
    await train(fit())
    expect(await runResults(folder)).toEqual(straight)
  })

  it('can be aborted before it begins', async () => {
    await expect(train(fit({ signal: AbortSignal.abort('no') }))).rejects.toBe('no')
    await train(fit())
    expect(await runResults(folder)).toEqual(straight)
  })
})

describe('a run that diverges', () => {
  /** Fails at micro-batch 15, the first one of step 8. */
  const poisoned = (run: TrainRequest, poison: () => void): Trainable => {
    const { parameters, accumulate } = run.trainable
    let call = 0
    return {
      ...run.trainable,
      accumulate: async (batch, options) => {
        const terms = await accumulate(batch, options)
        if (++call < 15) return terms
        poison()
        return parameters[0]!.gradient.read()[0] === -12345 ? { loss: Number.NaN } : terms
      },
    }
  }

  it('stops before anything is changed, names the step and the tensor, and keeps the checkpoint', async () => {
    const poisons = {
      'the gradient of bias': 1,
      'the gradient of weight': 0,
    }
    for (const [what, index] of Object.entries(poisons)) {
      const run = fit({ folder: `${folder}-${index}` })
      const { gradient } = run.trainable.parameters[index]!
      const trainable = poisoned(run, () =>
        gradient.write(gradient.read().map((value, i) => (i === 7 ? Number.NaN : value))),
      )
      let afterSeven: ArrayLike<number> = []
      const onProgress = ({ kind, step }: TrainEvent): void => {
        if (kind === 'step' && step === 7) afterSeven = run.trainable.parameters[0]!.tensor.read()
      }
      await expect(train({ ...run, trainable, onProgress })).rejects.toMatchObject({
        code: 'TRIMKV_DIVERGED',
        message: expect.stringContaining(`step 8: ${what} is not finite`),
        details: { step: 8 },
      })
      expect(run.trainable.parameters[0]!.tensor.read()).toEqual(afterSeven)
      await train(fit({ folder: run.folder }))
      expect(await runResults(run.folder)).toEqual(straight)
    }
  })

  it('names the loss term', async () => {
    const run = fit()
    const { gradient } = run.trainable.parameters[0]!
    const trainable = poisoned(run, () => gradient.write(gradient.read().fill(-12345)))
    await expect(train({ ...run, trainable })).rejects.toMatchObject({
      code: 'TRIMKV_DIVERGED',
      message: expect.stringContaining('step 8: the term loss is not finite'),
    })
    expect(await stepOf()).toBe(6)
  })

  it('writes no checkpoint with a weight that is not finite', async () => {
    const run = fit()
    const { tensor } = run.trainable.parameters[1]!
    const onProgress = ({ kind, step }: TrainEvent): void => {
      if (kind === 'step' && step === 6) tensor.write(tensor.read().fill(Number.NaN))
    }
    await expect(train({ ...run, onProgress })).rejects.toMatchObject({
      code: 'TRIMKV_DIVERGED',
      message: expect.stringContaining('parameter.bias'),
    })
    expect(await stepOf()).toBe(3)
  })
})

describe('a folder', () => {
  it('is refused when it holds a run with other options, another recipe or other parameters', async () => {
    const { options, recipe } = fit()
    await train(
      fit({ options: { ...options, steps: 4, learningRate: { ...options.learningRate, warmupSteps: 1 } } }),
    )
    const other = { model: 'curve', data: (recipe as { data: string }).data }
    const refused = train(fit({ recipe: other }))
    await expect(refused).rejects.toMatchObject({
      code: 'TRIMKV_RESUME',
      why: [
        'recipe.model: "line" there, "curve" now',
        'options.steps: 4 there, 23 now',
        'options.learningRate.warmupSteps: 1 there, 4 now',
      ],
    })
    const renamed = fit({
      options: { ...options, steps: 4, learningRate: { ...options.learningRate, warmupSteps: 1 } },
    })
    const [weight, bias] = renamed.trainable.parameters
    const trainable = { ...renamed.trainable, parameters: [weight!, { ...bias!, name: 'offset' }] }
    await expect(train({ ...renamed, trainable })).rejects.toMatchObject({
      code: 'TRIMKV_RESUME',
      why: expect.arrayContaining([
        'parameter.bias: [256] there, nothing now',
        'moment1.offset: nothing there, [256] now',
      ]),
    })
  })

  it('is refused when it holds results without a checkpoint, or a broken one', async () => {
    await train(fit())
    const checkpoint = join(folder, 'checkpoint.safetensors')
    const bytes = await readFile(checkpoint)
    await writeFile(checkpoint, bytes.subarray(0, bytes.length - 1))
    await expect(train(fit())).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
    await writeFile(checkpoint, await readFile(join(folder, 'best.safetensors')))
    await expect(train(fit())).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
    await rm(checkpoint)
    await expect(train(fit())).rejects.toMatchObject({
      code: 'TRIMKV_OPTION',
      message: expect.stringContaining('best.safetensors'),
    })
  })

  it('is cleared of what a killed process has not finished', async () => {
    await mkdir(folder)
    for (const name of [
      '.checkpoint.safetensors.71-88-0f3a-77.tmp',
      '.best.safetensors.77.tmp',
      'notes.txt',
    ]) {
      await writeFile(join(folder, name), 'x')
    }
    await train(fit())
    const files = ['best.safetensors', 'checkpoint.safetensors', 'metrics.jsonl', 'notes.txt']
    expect((await readdir(folder)).sort()).toEqual(files)
  })

  it('is trained in by one run at a time', async () => {
    const runs = await Promise.allSettled([train(fit()), train(fit())])
    const refused = runs.filter(({ status }) => status === 'rejected')
    expect(refused).toEqual([
      { status: 'rejected', reason: expect.objectContaining({ code: 'TRIMKV_LOCKED' }) },
    ])
    expect(await runResults(folder)).toEqual(straight)
  })
})

describe('options', () => {
  it('are refused out of range, by name, before the folder is made', async () => {
    const { options, validation } = fit()
    const wrong: [string, Partial<TrainRequest>][] = [
      ['steps', { options: { ...options, steps: 0 } }],
      ['accumulation', { options: { ...options, accumulation: 1.5 } }],
      ['clipNorm', { options: { ...options, clipNorm: 0 } }],
      ['betas[1]', { options: { ...options, betas: [0.9, 1] } }],
      ['learningRate.warmupSteps', { options: { ...options, steps: 3 } }],
      [
        'learningRate.peak',
        { options: { ...options, learningRate: { ...options.learningRate, peak: Number.NaN } } },
      ],
      ['validation.batches', { validation: { ...validation!, batches: 0 } }],
    ]
    for (const [name, more] of wrong) {
      const message = expect.stringContaining(`${name} must be`)
      await expect(train(fit(more))).rejects.toMatchObject({ code: 'TRIMKV_OPTION', message })
    }
    await expect(readFile(join(folder, 'train.lock'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('memory', () => {
  it('is given back, whether the run ends or fails', async () => {
    using own = createDevice({ threads: 1 })
    using trainable = lineFitRun(own, folder).trainable
    const before = own.liveTensors()
    await train({ ...lineFitRun(device, folder), trainable, device: own })
    const failing = { ...lineFitRun(device, `${folder}-failing`), trainable, device: own }
    await expect(train({ ...failing, signal: AbortSignal.abort() })).rejects.toThrow()
    expect(own.liveTensors()).toBe(before)
  })
})
