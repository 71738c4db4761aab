import { join } from 'node:path'
import { createDevice } from '@trimkv/tensor'
import type { ModelRecipe } from '@trimkv/trainer'
import { Command, Option } from 'commander'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { runTraining } from '../command-line/run-training.ts'
import { trainingFlags } from '../command-line/training-flags.ts'
import { checkFolder } from '../command-line/training-folder.ts'
import { trainingWith } from '../command-line/training-recipe.ts'
import { type ModelTrainingSettings, modelTrainingSettings } from '../command-line/training-settings.ts'

type Gates = NonNullable<ModelRecipe['gates']>

function recipeWith(base: ModelRecipe, settings: ModelTrainingSettings, gates: Gates): ModelRecipe {
  return {
    ...base,
    seed: settings.seed ?? base.seed,
    training: trainingWith(base.training, settings, settings.steps ?? base.training.steps),
    ...(settings.jointGates && { gates }),
  }
}

async function run(context: CommandContext): Promise<undefined> {
  const settings = await modelTrainingSettings(context.raw)
  await checkFolder(settings.out)
  const { referenceGateRecipe, trainReferenceModel } = await import('@trimkv/trainer')
  using device = createDevice(settings.threads === undefined ? {} : { threads: settings.threads })
  const { out, jointGates } = settings
  const gatesOut = join(out, 'gates')
  const gates: Gates = { gate: referenceGateRecipe.gate, capacity: referenceGateRecipe.losses.capacity! }
  const use = jointGates ? ` --gates ${gatesOut} --policy trimkv` : ''
  return await runTraining(
    {
      settings,
      budget: jointGates ? gates.capacity.budget : undefined,
      results: jointGates ? [out, gatesOut] : [out],
      next: `trimkv generate ${out}${use} --prompt "put key barn . ana sings alone . find key"`,
      train: (options) =>
        trainReferenceModel(device, { ...options, ...(jointGates && { gatesOut }) }, (base) =>
          recipeWith(base, settings, gates),
        ),
    },
    context,
  )
}

/** `trimkv train lm`: a small model from nothing. */
export function trainLmCommand(): CliCommand {
  const command = new Command('lm')
    .summary('a small model from scratch')
    .description(
      'Trains the reference model on generated texts, from random weights, and writes it with its tokenizer. DIR/run holds the checkpoint and the metrics: stopped in any way, the same command goes on from there.',
    )
    .option('--out <dir>', 'folder for the model; made where it does not exist')
    .addOption(new Option('--recipe <name>', 'what to train (default: reference)').choices(['reference']))
    .option('--joint-gates', 'train gates with it, and write them to DIR/gates')
  withFlags(command, trainingFlags.steps(), trainingFlags.run())
  return {
    group: 'train',
    command: withFlags(command, flags.json(), flags.jsonl()),
    keeps: () => true,
    run,
  }
}
