import type { TrainRequest } from '../src/index.ts'
import { lineFit, numberedBatches } from './line-fit.ts'

/** A run with all that a run can have: accumulation, warm-up, clipping, decay, validation. */
export const lineFitRun = (device: TrainRequest['device'], folder: string): TrainRequest => ({
  trainable: lineFit(device),
  data: numberedBatches(1),
  validation: { data: numberedBatches(2), every: 5, batches: 2 },
  options: {
    steps: 23,
    accumulation: 2,
    learningRate: { peak: 0.1, warmupSteps: 4, decay: { kind: 'cosine', floor: 0.001 } },
    weightDecay: 0.01,
    clipNorm: 0.05,
    checkpointEvery: 3,
    seed: 1,
  },
  recipe: { model: 'line', data: { kind: 'numbered', rows: 4 } },
  folder,
  device,
})
