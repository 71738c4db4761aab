import { basename, resolve } from 'node:path'
import type { Model } from '@trimkv/engine'
import { fail } from '@trimkv/tensor'
import type { FrozenModel, GateRecipe, TrainResult } from '@trimkv/trainer'
import { Command } from 'commander'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { openModel } from '../command-line/open-model.ts'
import { type RunOptions, runTraining } from '../command-line/run-training.ts'
import { openTrainingData, type TrainingData } from '../command-line/training-data.ts'
import { trainingFlags } from '../command-line/training-flags.ts'
import { checkFolder } from '../command-line/training-folder.ts'
import { gateRecipeWith, trainingWith } from '../command-line/training-recipe.ts'
import { type GateTrainingSettings, gateTrainingSettings } from '../command-line/training-settings.ts'
import { countText } from '../terminal/number-text.ts'

const frozen = ({ dir, name, device, decoder, config }: Model): FrozenModel => ({
  device,
  decoder,
  config,
  name: name ?? basename(resolve(dir)),
})

/** Flags that the built-in texts leave no room for. */
const dataFlags = [
  'length',
  'rows',
  'packing',
  'validationShare',
  'validateEvery',
  'validationBatches',
] as const

interface Job {
  readonly model: Model
  readonly settings: GateTrainingSettings
  readonly context: CommandContext
}

/** On the texts of the reference model, with its validation. */
async function onReferenceTexts(job: Job): Promise<(options: RunOptions) => Promise<TrainResult>> {
  const { trainReferenceGates } = await import('@trimkv/trainer')
  const { model, settings } = job
  if (settings.data.length > 0 || dataFlags.some((name) => settings[name] !== undefined)) {
    fail('TRIMKV_OPTION', '--recipe reference has data of its own', {
      why: ['--data, --length, --rows, --packing and the flags about validation do not go with it'],
    })
  }
  const tokenizer = await model.tokenizer()
  return (options) =>
    trainReferenceGates({ ...frozen(model), tokenizer }, options, (base) => {
      const recipe = gateRecipeWith(base, settings)
      const steps = settings.steps ?? base.training.steps!
      return { ...recipe, training: trainingWith(recipe.training, settings, steps) }
    })
}

async function stepsOf(recipe: GateRecipe, data: TrainingData, { settings }: Job): Promise<number> {
  const given = settings.steps ?? recipe.training.steps
  if (given !== undefined) return given
  const batches = await data.countBatches()
  if (batches !== undefined) return Math.ceil(batches / (recipe.training.accumulation ?? 1))
  return fail(
    'TRIMKV_OPTION',
    `--recipe ${settings.recipe} reads every record once, and generated texts never end`,
    {
      hint: 'give --steps N',
    },
  )
}

/** On what `--data` names. */
async function onGivenData(
  recipe: GateRecipe,
  data: TrainingData,
  job: Job,
): Promise<(options: RunOptions) => Promise<TrainResult>> {
  const { trainGates } = await import('@trimkv/trainer')
  const steps = await stepsOf(recipe, data, job)
  const training = trainingWith(recipe.training, job.settings, steps)
  const { accumulation = 1 } = training
  const { terminal } = job.context
  terminal.say(
    `${job.settings.recipe}: ${countText(steps)} steps of ${countText(recipe.rows * accumulation)} × ${countText(data.length)} tokens at most`,
  )
  return (options) =>
    trainGates(frozen(job.model), { ...recipe, length: data.length, training }, { ...data, ...options })
}

async function run(context: CommandContext): Promise<undefined> {
  const settings = await gateTrainingSettings(context.raw)
  await checkFolder(settings.out)
  const { gateRecipes, referenceGateRecipe } = await import('@trimkv/trainer')
  using model = await openModel(context, { ...settings, gates: undefined })
  const job = { model, settings, context }
  const [folder] = context.args
  const shared = {
    settings,
    results: [settings.out],
    next: `trimkv generate ${folder} --gates ${settings.out} --policy trimkv --prompt …`,
  }
  if (settings.recipe === 'reference') {
    const train = await onReferenceTexts(job)
    const { losses } = gateRecipeWith(referenceGateRecipe, settings)
    return await runTraining({ ...shared, budget: losses.capacity?.budget, train }, context)
  }
  const recipe = gateRecipeWith(gateRecipes[settings.recipe], settings)
  await using data = await openTrainingData({ model, recipe, settings }, context)
  const train = await onGivenData(recipe, data, job)
  return await runTraining({ ...shared, budget: recipe.losses.capacity?.budget, train }, context)
}

/** `trimkv train gates`: retention gates for a model that stays as it is. */
export function trainGatesCommand(): CliCommand {
  const command = new Command('gates')
    .argument('<model>', 'model folder or .gguf file, or org/name[@revision][:file.gguf] of one to download')
    .summary('retention gates for a model')
    .description(
      'Trains retention gates for a model, which itself stays as it is, and writes them to a folder that --gates takes. DIR/run holds the checkpoint and the metrics: stopped in any way, the same command goes on from there.',
    )
    .option('--out <dir>', 'folder for the gates; made where it does not exist')
  const { data, gates, steps, accumulation, run: runFlags } = trainingFlags
  withFlags(command, flags.download(), data(), gates(), steps(), accumulation(), runFlags())
  return {
    group: 'train',
    command: withFlags(command, flags.json(), flags.jsonl()),
    keeps: () => true,
    run,
  }
}
