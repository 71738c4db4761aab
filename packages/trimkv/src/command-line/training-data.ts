import { statSync } from 'node:fs'
import { basename } from 'node:path'
import type { Model } from '@trimkv/engine'
import { fail } from '@trimkv/tensor'
import type { DataSource, GateRecipe, JsonlOptions, JsonValue, TaskStage } from '@trimkv/trainer'
import { countText } from '../terminal/number-text.ts'
import { startProgress } from '../terminal/progress.ts'
import type { CommandContext } from './cli-command.ts'
import { type DataSpec, readDataSpecs } from './data-spec.ts'
import type { DataSettings } from './training-settings.ts'

/** What a training reads, checked as far as its first batch. */
export interface TrainingData extends AsyncDisposable {
  readonly data: DataSource
  readonly validation?: { readonly data: DataSource; readonly every: number; readonly batches: number }
  readonly dataIdentity: JsonValue
  /** Rows of the longest batch. */
  readonly length: number
  /** Batches that hold every record once; undefined for generated texts, which never end. */
  countBatches(): Promise<number | undefined>
}

interface Request {
  readonly model: Model
  readonly recipe: Pick<GateRecipe, 'length' | 'rows' | 'packing' | 'minCharacters' | 'seed'>
  readonly settings: DataSettings
}

type Part = 'train' | 'validation'

/** One kind of data: how to open each part of it. */
interface DataKind {
  readonly open: (part: Part) => Promise<DataSource>
  readonly identity: JsonValue
  readonly length: number
  readonly countBatches: TrainingData['countBatches']
}

/** Tokens of generated texts: the recipes' own lengths are those of the longest texts that were collected. */
const generatedLength = 1024
/** Records that the next one is drawn from. */
const shuffleBuffer = 1024
const defaultShare = 0.02
const defaultBatches = 8

/**
 * Opens what `--data` names and draws a first batch of it, so that data which cannot be trained on end a training
 * before it writes anything.
 * @throws TRIMKV_OPTION, TRIMKV_NOT_FOUND, TRIMKV_FORMAT
 */
export async function openTrainingData(request: Request, context: CommandContext): Promise<TrainingData> {
  const { settings } = request
  const spec = readDataSpecs(settings.data)
  const kind = spec.kind === 'files' ? await records(spec, request, context) : await texts(spec, request)
  const { validateEvery: every, validationBatches: batches = defaultBatches } = settings
  const opened: DataSource[] = []
  const open = async (part: Part): Promise<DataSource> => {
    const source = await kind.open(part)
    opened.push(source)
    await tryFirstBatch(source)
    return source
  }
  const close = async (): Promise<void> => {
    for (const source of opened) await source.close()
  }
  try {
    if (every === undefined) refuseIdle(settings)
    const data = await open('train')
    const validation = every === undefined ? undefined : { data: await open('validation'), every, batches }
    return {
      data,
      ...(validation && { validation }),
      dataIdentity: kind.identity,
      length: kind.length,
      countBatches: kind.countBatches,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function tryFirstBatch(source: DataSource): Promise<void> {
  const start = source.state()
  await source.next()
  await source.restore(start)
}

function refuseIdle({ validationShare, validationBatches }: DataSettings): void {
  if (validationShare === undefined && validationBatches === undefined) return
  const flag = validationShare === undefined ? '--validation-batches' : '--validation-share'
  fail('TRIMKV_OPTION', `${flag} has no effect without --validate-every`, {
    hint: 'say how many steps lie between validations',
  })
}

/** The longest row: what the flag or the recipe says, and no longer than the model can read. */
function rowLength({ model, settings }: Request, recipeLength: number): number {
  const { maxLength } = model.spec
  if (settings.length === undefined) return Math.min(recipeLength, maxLength)
  if (settings.length <= maxLength) return settings.length
  return fail('TRIMKV_OPTION', `--length cannot be ${countText(settings.length)}`, {
    why: [`the model was made for ${countText(maxLength)} tokens at most`],
  })
}

/** Records of files, drawn at random from those that come next. */
async function records(
  { files }: Extract<DataSpec, { kind: 'files' }>,
  request: Request,
  { terminal, signal }: CommandContext,
): Promise<DataKind> {
  const { batchesPerEpoch, jsonlSource } = await import('@trimkv/trainer')
  const { model, recipe, settings } = request
  const { rows, packing, minCharacters, seed } = recipe
  const length = rowLength(request, recipe.length)
  const template = await model.chatTemplate()
  const shuffle = { seed, buffer: shuffleBuffer }
  const validationShare =
    settings.validateEvery === undefined ? 0 : (settings.validationShare ?? defaultShare)
  const shared = { batch: rows, maxLength: length, packing, minCharacters, shuffle }
  const tokenizer = await model.tokenizer()
  const options = (part: Part): JsonlOptions => ({
    ...shared,
    files,
    tokenizer,
    ...(template && { template }),
    ...(validationShare > 0 && { split: { validationShare, part } }),
  })
  const named = files.map((file) => ({ name: basename(file), bytes: statSync(file).size }))
  return {
    open: (part) => jsonlSource(options(part)),
    identity: { files: named, ...shared, validationShare },
    length,
    async countBatches() {
      terminal.say('counting the records, to read each once; --steps makes this needless')
      using progress = startProgress(terminal, { label: 'counted', unit: 'batches' })
      return batchesPerEpoch(options('train'), (count) => {
        signal.throwIfAborted()
        progress.update(count)
      })
    },
  }
}

/** Generated texts, as long as a row unless their option `words` says otherwise. */
async function texts({ mixture }: Extract<DataSpec, { kind: 'tasks' }>, request: Request): Promise<DataKind> {
  const { taskSource } = await import('@trimkv/trainer')
  const { model, recipe, settings } = request
  if (settings.validationShare !== undefined) {
    fail('TRIMKV_OPTION', '--validation-share is about files', {
      why: ['validation texts are generated with seeds of their own'],
    })
  }
  if (settings.packing !== undefined)
    fail('TRIMKV_OPTION', '--packing is about files', {
      why: ['generated texts shorter than a row always share it'],
    })
  const length = rowLength(request, generatedLength)
  const stages: TaskStage[] = [{ rows: recipe.rows, length, mixture }]
  const tokenizer = await model.tokenizer()
  return {
    open: async (part) => taskSource({ tokenizer, stages, seed: recipe.seed, part }),
    identity: JSON.parse(JSON.stringify({ stages })) as JsonValue,
    length,
    countBatches: () => Promise.resolve(undefined),
  }
}
