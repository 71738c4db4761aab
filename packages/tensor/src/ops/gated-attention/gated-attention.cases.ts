import type { CaseInput, CaseRandom, OpCase, OpCases } from '../../op-case.ts'
import type { GatedAttentionAttrs } from './gated-attention.ts'

export interface GatedAttentionSizes {
  readonly B: number
  readonly T: number
  readonly H: number
  readonly G: number
  readonly D: number
  /** How fast keys fade: absent without logBeta. */
  readonly fading?: 'slow' | 'mixed' | 'fast'
  /** Lengths of the documents of each row, the same in all rows: absent without start. */
  readonly documents?: readonly number[]
}

const rates: Record<'slow' | 'mixed' | 'fast', (random: CaseRandom) => number> = {
  slow: (random) => -Math.exp(random.normal() - 6),
  mixed: (random) => -Math.exp(3 * random.normal() - 3),
  fast: (random) => -Math.exp(random.normal()),
}

/** The first token of each token's document. */
function starts(documents: readonly number[]): number[] {
  let begin = 0
  return documents.flatMap((length) => {
    begin += length
    return new Array<number>(length).fill(begin - length)
  })
}

/** The inputs that the op shares with its gradient. */
export function gatedAttentionInputs(sizes: GatedAttentionSizes): Record<string, CaseInput> {
  const { B, T, H, G, D, fading, documents } = sizes
  const first = documents && starts(documents)
  return {
    q: { dtype: 'f32', shape: [B, T, H * G, D], strided: 3 },
    k: { dtype: 'f32', shape: [B, T, H, D], strided: 3 },
    v: { dtype: 'f32', shape: [B, T, H, D], strided: 3 },
    ...(fading
      ? {
          logBeta: { dtype: 'f32', shape: [B, T, H], strided: 2, fill: (_, random) => rates[fading](random) },
        }
      : {}),
    ...(first ? { start: { dtype: 'i32', shape: [B, T], strided: 1, fill: (i) => first[i % T]! } } : {}),
  }
}

export function gatedAttentionName({ B, T, H, G, D, fading, documents }: GatedAttentionSizes): string {
  return `B${B} T${T} H${H} G${G} D${D} ${fading ?? ''} ${documents ? `documents ${documents.join('+')}` : ''}`.trim()
}

const at = (sizes: GatedAttentionSizes): OpCase<GatedAttentionAttrs> => ({
  name: gatedAttentionName(sizes),
  inputs: gatedAttentionInputs(sizes),
  attrs: { scale: 1 / Math.sqrt(sizes.D) },
})

/** Sizes at the edges of tiles and vectors, with and without fading and documents. */
export const gatedAttentionSizes: readonly GatedAttentionSizes[] = [
  { B: 1, T: 1, H: 1, G: 1, D: 1 },
  { B: 2, T: 0, H: 1, G: 2, D: 16, fading: 'slow' },
  { B: 0, T: 5, H: 1, G: 1, D: 8, documents: [5] },
  { B: 2, T: 65, H: 2, G: 2, D: 33, fading: 'mixed' },
  { B: 1, T: 64, H: 1, G: 3, D: 16, documents: [1, 62, 1] },
  { B: 2, T: 130, H: 1, G: 1, D: 80, fading: 'slow', documents: [63, 2, 65] },
  { B: 1, T: 200, H: 2, G: 1, D: 32, fading: 'fast', documents: [128, 72] },
]

/** Random sizes: mostly a tile or two, sometimes several. */
export function randomGatedAttentionSizes(random: CaseRandom): GatedAttentionSizes {
  const T = random.next() < 0.15 ? random.int(129, 260) : random.int(1, 70)
  const documents: number[] = []
  for (let left = T; left > 0; left -= documents.at(-1)!) documents.push(random.int(1, left))
  return {
    B: random.int(1, 2),
    T,
    H: random.int(1, 2),
    G: random.int(1, 3),
    D: [16, 32, 64, 80, 96, 128, random.int(1, 40), random.int(1, 40)][random.int(0, 7)]!,
    ...(random.next() < 0.7 ? { fading: (['slow', 'mixed', 'fast'] as const)[random.int(0, 2)]! } : {}),
    ...(random.next() < 0.4 ? { documents } : {}),
  }
}

/** Sizes to time: rows of a large model, and a batch of a small one. */
export const gatedAttentionBench: readonly GatedAttentionSizes[] = [
  { B: 1, T: 4096, H: 2, G: 2, D: 128 },
  { B: 1, T: 4096, H: 2, G: 2, D: 128, fading: 'slow' },
  { B: 1, T: 4096, H: 2, G: 2, D: 128, fading: 'fast' },
  { B: 8, T: 512, H: 2, G: 2, D: 32, fading: 'slow' },
]

export const gatedAttentionCases: OpCases<GatedAttentionAttrs> = {
  cases: gatedAttentionSizes.map(at),
  fuzz: (random) => at(randomGatedAttentionSizes(random)),
  bench: gatedAttentionBench.map(at),
}
