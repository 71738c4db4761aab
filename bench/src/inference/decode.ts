import { loadModel } from '@trimkv/engine'
import { createDevice } from '@trimkv/tensor'
import { checkpointFolder, ggufFile, promptIds } from './bench-files.ts'
import { openLlamaCpp } from './llama-reader.ts'
import { stepBytes } from './model-cost.ts'
import { SessionReader } from './reader.ts'
import { type SectionOptions, type SectionResult, takeTurns } from './section.ts'

const context = 1024
const windowTokens = 8

/** One sequence, its whole context kept by both. */
export async function decodeSection(options: SectionOptions): Promise<SectionResult> {
  const { format, threads, rounds } = options
  using device = createDevice({ threads })
  using model = await loadModel(await checkpointFolder(format), { device })
  await using peer = await openLlamaCpp(await ggufFile(format.peer), { threads })
  const maxTokens = context + (rounds + 2) * windowTokens
  await using ours = new SessionReader(model, { policy: 'full', maxTokens })
  await using plain = await peer.reader({ flashAttention: false, tokens: maxTokens })
  await using flash = await peer.reader({ flashAttention: true, tokens: maxTokens })
  const readers = { ours, plain, flash }
  for (const reader of Object.values(readers)) await reader.read(promptIds(context))
  const pieces = {
    ours: () => ours.decode(windowTokens),
    plain: () => plain.decode(windowTokens),
    flash: () => flash.decode(windowTokens),
  }
  const turns = await takeTurns(device, pieces, { rounds })
  const stored = context + (rounds / 2 + 1) * windowTokens
  const rate = (name: keyof typeof pieces): number => windowTokens / turns.seconds(name)
  const bandwidth = rate('ours') * stepBytes(format, { batch: 1, stored })
  return {
    about: `Decoding one sequence at ${context} tokens of context, nothing evicted, ${options.weights} against ${format.peer} (${device.isa}, ${threads} threads; llama.cpp: ${peer.system})`,
    figures: [
      { name: 'ours', value: rate('ours'), unit: 'tokens/s' },
      { name: 'llama.cpp, flash attention off', value: rate('plain'), unit: 'tokens/s' },
      { name: 'llama.cpp, flash attention on', value: rate('flash'), unit: 'tokens/s' },
      {
        name: 'against the better of both',
        value: Math.min(turns.ratio('plain', 'ours'), turns.ratio('flash', 'ours')),
        goal: { atLeast: format.goals.decode },
        unit: 'ratio',
      },
      { name: 'read bandwidth of this process', value: turns.ceilings.bandwidth / 1e9, unit: 'GB/s' },
      {
        name: 'share of it',
        value: bandwidth / turns.ceilings.bandwidth,
        ...(format.converted ? {} : { goal: { atLeast: 0.7 } }),
        unit: 'share',
      },
    ],
    windows: turns.windows,
  }
}
