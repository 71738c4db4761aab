import { loadModel } from '@trimkv/engine'
import { createDevice } from '@trimkv/tensor'
import { checkpointFolder, gatesFolder, promptIds } from './bench-files.ts'
import { SessionReader } from './reader.ts'
import { type SectionOptions, type SectionResult, takeTurns } from './section.ts'

const budget = 1024
const windowTokens = 2
/** Windows are short and differences small, so there are more of them. */
const moreRounds = 6

/** What eviction and gates add to a step that attends to as many tokens. */
export async function evictionSection(options: SectionOptions): Promise<SectionResult> {
  const { format, threads } = options
  const rounds = options.rounds * moreRounds
  using device = createDevice({ threads })
  const gates = await gatesFolder()
  using model = await loadModel(await checkpointFolder(format), { device, gates })
  const exact = { budget, exact: true, maxTokens: 4 * budget }
  // The same cache with room for all that is read: it never evicts.
  await using everything = new SessionReader(model, { ...exact, policy: 'streaming', budget: 2 * budget })
  await using evicting = new SessionReader(model, { ...exact, policy: 'streaming' })
  await using gated = new SessionReader(model, { ...exact, policy: 'trimkv' })
  const steps = (rounds + 1) * windowTokens
  // Half of the windows attend to fewer tokens than the budget, half to more.
  await everything.fill(promptIds(budget - steps / 2))
  for (const reader of [evicting, gated]) await reader.fill(promptIds(budget))
  const pieces = {
    everything: () => everything.decode(windowTokens),
    evicting: () => evicting.decode(windowTokens),
    gated: () => gated.decode(windowTokens),
  }
  const turns = await takeTurns(device, pieces, { rounds })
  const step = (name: keyof typeof pieces): number => (1000 * turns.seconds(name)) / windowTokens
  return {
    about: `Decoding at ${budget} tokens per head, ${options.weights} (${device.isa}, ${threads} threads)`,
    figures: [
      { name: 'step without eviction', value: step('everything'), unit: 'milliseconds' },
      { name: 'with eviction after every token', value: step('evicting'), unit: 'milliseconds' },
      { name: 'with gates as well', value: step('gated'), unit: 'milliseconds' },
      {
        name: 'eviction adds',
        value: turns.ratio('evicting', 'everything') - 1,
        goal: { atMost: 0.03 },
        unit: 'share',
      },
      {
        name: 'gates add',
        value: turns.ratio('gated', 'evicting') - 1,
        goal: { atMost: 0.05 },
        unit: 'share',
      },
    ],
    windows: turns.windows,
  }
}
