import { makeFolder } from '@trimkv/io'
import { type Device, fail, type Tensor } from '@trimkv/tensor'
import type { DataSource } from '../data-source.ts'
import type { JsonValue } from '../json-value.ts'
import type { Parameter, Trainable } from '../trainable.ts'
import { AdamW } from './adamw.ts'
import {
  type Best,
  type NamedTensors,
  type RunState,
  restoreCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts'
import { lockFolder } from './folder-lock.ts'
import { type Metrics, MetricsLog, type StepMetrics, type ValidationMetrics } from './metrics-log.ts'
import { prefetch } from './prefetch.ts'
import { holdsRun, type RunFiles, removeUnfinished, runFiles } from './run-files.ts'
import type { RunIdentity } from './run-identity.ts'
import type { TrainEvent } from './train-event.ts'
import {
  checkValidationOptions,
  resolveTrainOptions,
  type TrainOptions,
  type ValidationOptions,
} from './train-options.ts'
import { TrainingRun } from './training-run.ts'

/** What to train, on what, and where. Nothing of it is disposed or closed. */
export interface TrainRequest {
  readonly trainable: Trainable
  /** Stands at its first batch. */
  readonly data: DataSource
  readonly validation?: ValidationOptions
  readonly options: TrainOptions
  /** What is trained on what (model, data, loss), in any form: recorded, and compared when the run goes on. */
  readonly recipe: JsonValue
  /** Made when it is not there. A run that it holds goes on from its checkpoint. */
  readonly folder: string
  /** The device of the parameters. */
  readonly device: Device
  readonly signal?: AbortSignal
  readonly onProgress?: (event: TrainEvent) => void
}

/** What came out, over all processes that worked on the run. */
export interface TrainResult {
  readonly step: number
  /** Of all steps. */
  readonly tokens: number
  readonly seconds: number
  readonly lastStep: StepMetrics | undefined
  readonly lastValidation: ValidationMetrics | undefined
  readonly best: Best | null
}

/**
 * Trains, or goes on with the training that the folder holds, until the last step. The folder gets
 * `checkpoint.safetensors` (to go on from), `best.safetensors` (parameters of the best validation) and `metrics.jsonl`.
 * The parameters end as those of the last step. A run that was stopped at any moment, however hard, ends with the same
 * bits as one that was not.
 * @throws TrimError `TRIMKV_OPTION`; `TRIMKV_LOCKED` when another process trains in the folder; `TRIMKV_RESUME` when it
 *   holds another run; `TRIMKV_DIVERGED` when a loss, gradient or parameter is not finite; `TRIMKV_DISK`, `TRIMKV_IO`;
 *   `signal.reason` when aborted, after a checkpoint was written
 */
export async function train(request: TrainRequest): Promise<TrainResult> {
  const { trainable, folder, device, options } = request
  const identity = identityOf(request)
  checkNames(trainable.parameters)
  makeFolder(folder)
  await using _lock = await lockFolder(folder)
  await removeUnfinished(folder)
  using optimiser = new AdamW(device, trainable.parameters, identity.options)
  const tensors = checkpointTensors(trainable.parameters, optimiser)
  const files = runFiles(folder)
  const validationData = validationDataOf(request.validation)
  const state = await openState(request, { identity, tensors, files })
  await using log = await MetricsLog.open(files.metrics, (entry) => isBehind(entry, state))
  const { signal, onProgress } = request
  const { checkpointEvery } = options
  await using data = prefetch(request.data)
  const parts = { trainable, data, validationData, identity, checkpointEvery, optimiser, tensors, log, files }
  const run = new TrainingRun({ ...parts, signal, onProgress }, state)
  await run.finish()
  return resultOf(run.state, log.entries)
}

/**
 * Restores what the folder holds. A new run writes its first checkpoint before any work: that finds a full disk early,
 * and binds the folder to this run before anything else is in it.
 */
async function openState(
  { data, onProgress }: TrainRequest,
  { identity, tensors, files }: { identity: RunIdentity; tensors: NamedTensors; files: RunFiles },
): Promise<RunState> {
  if (await holdsRun(files)) {
    const state = await restoreCheckpoint(files.checkpoint, tensors, identity)
    await data.restore(state.data)
    onProgress?.({ kind: 'resume', step: state.step })
    return state
  }
  const state: RunState = { step: 0, validated: null, best: null, data: data.state() }
  await writeCheckpoint(files.checkpoint, tensors, { identity, state })
  onProgress?.({ kind: 'checkpoint', step: 0 })
  return state
}

function identityOf({ options, validation, recipe }: TrainRequest): RunIdentity {
  const settings = resolveTrainOptions(options)
  if (!validation) return { recipe, options: settings, validation: null }
  checkValidationOptions(validation)
  const { every, batches, best = { term: 'loss', direction: 'min' } } = validation
  return { recipe, options: settings, validation: { every, batches, best } }
}

function checkNames(parameters: readonly Parameter[]): void {
  if (parameters.length === 0) fail('TRIMKV_OPTION', '[train] there is no parameter to train')
  const names = new Set<string>()
  for (const { name } of parameters) {
    if (names.has(name)) fail('TRIMKV_OPTION', `[train] two parameters are named ${JSON.stringify(name)}`)
    names.add(name)
  }
}

const checkpointTensors = (parameters: readonly Parameter[], { moments }: AdamW): NamedTensors =>
  new Map(
    parameters.flatMap(({ name, tensor }, index): [string, Tensor][] => [
      [`parameter.${name}`, tensor],
      [`moment1.${name}`, moments[index]!.first],
      [`moment2.${name}`, moments[index]!.second],
    ]),
  )

const validationDataOf = (
  validation: ValidationOptions | undefined,
): { source: DataSource; start: JsonValue } | undefined =>
  validation && { source: validation.data, start: validation.data.state() }

/** Whether a checkpoint of `state` was made after this line. */
const isBehind = (entry: Metrics, { step, validated }: RunState): boolean =>
  entry.kind === 'validation' ? entry.step <= (validated ?? -1) : entry.step <= step

function resultOf({ step, best }: RunState, entries: readonly Metrics[]): TrainResult {
  const steps = entries.filter((entry) => entry.kind === 'step')
  const sum = (of: (entry: StepMetrics) => number): number =>
    steps.reduce((total, entry) => total + of(entry), 0)
  return {
    step,
    tokens: sum(({ tokens }) => tokens),
    seconds: sum(({ seconds }) => seconds),
    lastStep: steps.at(-1),
    lastValidation: entries.filter((entry) => entry.kind === 'validation').at(-1),
    best,
  }
}
