import { loadModel } from '@trimkv/engine'
import { createDevice, type Device } from '@trimkv/tensor'
import { cachedFile, checkpointFolder, gatesFolder, ggufFile, promptIds } from './bench-files.ts'
import { type LlamaCpp, type LlamaReader, openLlamaCpp } from './llama-reader.ts'
import { SessionReader } from './reader.ts'
import { type Figure, type SectionOptions, type SectionResult, type Turns, takeTurns } from './section.ts'

const budget = 1024
const early = 2048
const contexts = [8192, 16_384] as const
const windowTokens = 8

/**
 * A sequence with so many tokens in llama.cpp's cache: read once, then taken from a file. Its cache is f16 whatever the
 * weights are, and how long a step takes does not depend on what is in it: one file serves all of them.
 */
async function filled(
  peer: LlamaCpp,
  at: {
    readonly tokens: number
    readonly flashAttention: boolean
    readonly room: number
  },
): Promise<LlamaReader> {
  const { tokens, flashAttention, room } = at
  const reader = await peer.reader({ flashAttention, tokens: tokens + room })
  const file = `cache-${flashAttention ? 'flash' : 'plain'}-${tokens}`
  const path = await cachedFile(file, async (to) => {
    await reader.fill(promptIds(tokens))
    await reader.save(to)
  })
  await reader.load(path)
  await reader.read([1])
  return reader
}

type Names = 'early' | 'ours' | 'plain' | 'flash'

/** Decoding after so many tokens, beside our own decoding after few. */
async function measureAt(
  device: Device,
  readers: { readonly early: SessionReader; readonly ours: SessionReader; readonly peer: LlamaCpp },
  { tokens, options }: { readonly tokens: number; readonly options: SectionOptions },
): Promise<Turns<Names>> {
  const { rounds } = options
  const at = { tokens, room: 256 * Math.ceil(((rounds + 2) * windowTokens) / 256) }
  await using plain = await filled(readers.peer, { ...at, flashAttention: false })
  await using flash = await filled(readers.peer, { ...at, flashAttention: true })
  // Awaited here: what is used below is gone when this returns.
  return await takeTurns<Names>(
    device,
    {
      early: () => readers.early.decode(windowTokens),
      ours: () => readers.ours.decode(windowTokens),
      plain: () => plain.decode(windowTokens),
      flash: () => flash.decode(windowTokens),
    },
    { rounds },
  )
}

function figures(tokens: number, goal: number, turns: Turns<Names>): Figure[] {
  const rate = (name: Names): Figure['value'] => windowTokens / turns.seconds(name)
  return [
    { name: `ours after ${tokens}`, value: rate('ours'), unit: 'tokens/s' },
    { name: `llama.cpp after ${tokens}, flash attention off`, value: rate('plain'), unit: 'tokens/s' },
    { name: `llama.cpp after ${tokens}, flash attention on`, value: rate('flash'), unit: 'tokens/s' },
    {
      name: `against the better of both after ${tokens}`,
      value: Math.min(turns.ratio('plain', 'ours'), turns.ratio('flash', 'ours')),
      goal: { atLeast: goal },
      unit: 'ratio',
    },
    {
      name: `time of a token after ${tokens} against after ${early}`,
      value: turns.ratio('ours', 'early'),
      goal: { atMost: 1.1 },
      unit: 'ratio',
    },
  ]
}

/** Long sequences: a bounded cache against everything kept. */
export async function longSection(options: SectionOptions): Promise<SectionResult> {
  const { format, threads, rounds } = options
  using device = createDevice({ threads })
  const gates = await gatesFolder()
  using model = await loadModel(await checkpointFolder(format), { device, gates })
  await using peer = await openLlamaCpp(await ggufFile(format.peer), { threads })
  const settings = { policy: 'trimkv', budget, exact: true, maxTokens: 40_960 }
  await using first = new SessionReader(model, settings)
  await using ours = new SessionReader(model, settings)
  await first.fill(promptIds(early))
  const found: Figure[] = []
  const windows: Record<string, readonly number[]> = {}
  let read = 0
  for (const [i, tokens] of contexts.entries()) {
    if (tokens > options.longest) break
    await ours.fill(promptIds(tokens - read))
    const turns = await measureAt(device, { early: first, ours, peer }, { tokens, options })
    found.push(...figures(tokens, format.goals.long[i]!, turns))
    for (const [name, seconds] of Object.entries(turns.windows)) windows[`${name} ${tokens}`] = seconds
    read = tokens + (rounds + 1) * windowTokens
  }
  return {
    about: `Decoding after long contexts, trimkv with ${budget} tokens per head and eviction after every token against llama.cpp's full cache, ${options.weights} against ${format.peer} (${device.isa}, ${threads} threads)`,
    figures: found,
    windows,
  }
}
