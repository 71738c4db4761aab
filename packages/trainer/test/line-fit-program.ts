/** Trains the line fit in the folder that is its argument, and writes a line when a step is done. */
import { setTimeout } from 'node:timers/promises'
import { createDevice } from '@trimkv/tensor'
import { type DataSource, train } from '../src/index.ts'
import { lineFitRun } from './line-fit-run.ts'

/** Keeps the pace down, so that a kill meets the run on its way on any machine. */
const batchMs = 4

using device = createDevice({ threads: 2 })
const run = lineFitRun(device, process.argv[2]!)
const data: DataSource = {
  ...run.data,
  next: async () => {
    await setTimeout(batchMs)
    return run.data.next()
  },
}
await train({
  ...run,
  data,
  onProgress: ({ kind, step }) => process.stdout.write(`${kind} ${step}\n`),
})
