import { loadModel } from '@trimkv/engine'
import { createDevice } from '@trimkv/tensor'
import { checkpointFolder, ggufFile, promptIds } from './bench-files.ts'
import { openLlamaCpp } from './llama-reader.ts'
import { prefillFlops } from './model-cost.ts'
import { SessionReader } from './reader.ts'
import { type SectionOptions, type SectionResult, takeTurns } from './section.ts'

const tokens = 2048
const mostRounds = 3

/** A prompt up to its first new token, nothing evicted. */
export async function prefillSection(options: SectionOptions): Promise<SectionResult> {
  const { format, threads } = options
  const rounds = Math.min(options.rounds, mostRounds)
  using device = createDevice({ threads })
  using model = await loadModel(await checkpointFolder(format), { device })
  await using peer = await openLlamaCpp(await ggufFile(format.peer), { threads })
  const maxTokens = tokens + 1
  await using ours = new SessionReader(model, { policy: 'full', maxTokens })
  await using plain = await peer.reader({ flashAttention: false, tokens: maxTokens })
  await using flash = await peer.reader({ flashAttention: true, tokens: maxTokens })
  const readers = { ours, plain, flash }
  const ids = promptIds(tokens)
  const pieces = { ours: () => ours.read(ids), plain: () => plain.read(ids), flash: () => flash.read(ids) }
  const turns = await takeTurns(device, pieces, { rounds, before: (name) => readers[name].clear() })
  const rate = (name: keyof typeof pieces): number => tokens / turns.seconds(name)
  const flops = prefillFlops(tokens) / turns.seconds('ours')
  return {
    about: `Reading ${tokens} tokens, nothing evicted, ${options.weights} against ${format.peer} (${device.isa}, ${threads} threads; llama.cpp: ${peer.system})`,
    figures: [
      { name: 'ours', value: rate('ours'), unit: 'tokens/s' },
      { name: 'llama.cpp, flash attention off', value: rate('plain'), unit: 'tokens/s' },
      { name: 'llama.cpp, flash attention on', value: rate('flash'), unit: 'tokens/s' },
      {
        name: 'against the better of both',
        value: Math.min(turns.ratio('plain', 'ours'), turns.ratio('flash', 'ours')),
        ...(format.goals.prefill !== undefined && { goal: { atLeast: format.goals.prefill } }),
        unit: 'ratio',
      },
      { name: 'FMA peak of this process', value: turns.ceilings.flops / 1e9, unit: 'GFLOP/s' },
      {
        name: 'share of it',
        value: flops / turns.ceilings.flops,
        ...(format.converted ? {} : { goal: { atLeast: 0.6 } }),
        unit: 'share',
      },
    ],
    windows: turns.windows,
  }
}
