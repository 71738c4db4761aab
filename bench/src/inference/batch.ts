import { loadModel } from '@trimkv/engine'
import { createDevice } from '@trimkv/tensor'
import { checkpointFolder, gatesFolder, promptIds } from './bench-files.ts'
import { stepBytes } from './model-cost.ts'
import { SessionReader } from './reader.ts'
import { type Figure, type SectionOptions, type SectionResult, takeTurns } from './section.ts'

const batch = 8
const budgets = [
  { budget: 128, goal: 3.5 },
  { budget: 1024, goal: 2.7 },
]
const windowTokens = 4

/** Sequences side by side against one. */
export async function batchSection(options: SectionOptions): Promise<SectionResult> {
  const { format, threads, rounds } = options
  using device = createDevice({ threads })
  const gates = await gatesFolder()
  using model = await loadModel(await checkpointFolder(format), { device, gates })
  const figures: Figure[] = []
  const windows: Record<string, readonly number[]> = {}
  for (const { budget, goal } of budgets) {
    const settings = { policy: 'trimkv', budget, exact: true, maxTokens: 4 * budget }
    await using one = new SessionReader(model, settings)
    await using many = new SessionReader(model, { ...settings, batch })
    for (const reader of [one, many]) await reader.fill(promptIds(budget))
    const pieces = { one: () => one.decode(windowTokens), many: () => many.decode(windowTokens) }
    const turns = await takeTurns(device, pieces, { rounds })
    const bytes = stepBytes(format, { batch, stored: budget })
    const steps = windowTokens / turns.seconds('many')
    figures.push(
      {
        name: `one sequence, ${budget} tokens per head`,
        value: windowTokens / turns.seconds('one'),
        unit: 'tokens/s',
      },
      { name: `${batch} sequences, together`, value: batch * steps, unit: 'tokens/s' },
      { name: 'gain', value: batch / turns.ratio('many', 'one'), goal: { atLeast: goal }, unit: 'ratio' },
      {
        name: `share of the read bandwidth, ${batch} sequences`,
        value: (bytes * steps) / turns.ceilings.bandwidth,
        unit: 'share',
      },
    )
    windows[`one ${budget}`] = turns.windows.one
    windows[`many ${budget}`] = turns.windows.many
  }
  return {
    about: `Decoding ${batch} sequences side by side, trimkv, ${options.weights} (${device.isa}, ${threads} threads)`,
    figures,
    windows,
  }
}
