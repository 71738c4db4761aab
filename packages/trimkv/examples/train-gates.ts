// Trains gates for a few steps: npx jiti examples/train-gates.ts MODEL OUT
import { join } from 'node:path'
import { loadModel } from '@trimkv/engine'
import { type GateRecipe, gateRecipes, type TaskStage, taskSource, trainGates } from '@trimkv/trainer'

const [dir = '.', out = 'gates'] = process.argv.slice(2)

const recipe: GateRecipe = {
  ...gateRecipes['long-context'],
  gate: { kind: 'rg', intermediateSize: 32, bias: 4 },
  length: 64,
  training: { steps: 20, learningRate: { peak: 2e-3, warmupSteps: 2, decay: { kind: 'constant' } } },
}
const { losses } = recipe
const stage: TaskStage = {
  rows: 4,
  length: 64,
  mixture: [{ task: 'recall', options: { facts: 2 }, share: 1 }],
}

using model = await loadModel(dir)
const { lastStep } = await trainGates(
  { ...model, name: 'my-model' },
  { ...recipe, losses: { ...losses, capacity: { ...losses.capacity!, budget: 16 } } },
  {
    data: taskSource({ tokenizer: await model.tokenizer(), stages: [stage], seed: 1 }),
    dataIdentity: 'recall with two facts',
    folder: join(out, 'run'),
    out,
    checkpointEvery: 10,
    onProgress: (event) => {
      if (event.kind !== 'step' || event.step % 10 !== 0) return
      process.stdout.write(`step ${event.step}: heads hold ${event.terms.occupancy!.toFixed(1)} tokens\n`)
    },
  },
)
process.stdout.write(`${out} is as of step ${lastStep!.step}\n`)
