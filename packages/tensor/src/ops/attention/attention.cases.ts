import type { DType } from '../../dtype.ts'
import type { OpCase, OpCases } from '../../op-case.ts'
import {
  columnInput,
  countInput,
  edgeLayout,
  randomLayout,
  type SlotLayout,
  seenInput,
  slotIndexInput,
  slotRowsInput,
} from '../../slot-case-inputs.ts'
import type { SlotScore } from '../../slot-score.ts'
import type { AttentionAttrs } from './attention.ts'

interface Sizes {
  readonly layout: SlotLayout
  readonly C: number
  readonly G: number
  readonly D: number
  readonly dtype: DType
  readonly mass?: boolean
  readonly score?: SlotScore
  readonly columns?: 0 | 1 | 2
}

const logBeta = (_: number, random: { normal(): number }): number => -Math.exp(2 * random.normal() - 3)

function victimInputs({ layout, columns = 0 }: Sizes): OpCase<AttentionAttrs>['inputs'] {
  return {
    slotIndex: slotIndexInput(layout),
    seen: seenInput(layout),
    ...(columns > 0 ? { columnA: columnInput(layout, logBeta) } : {}),
    ...(columns > 1 ? { columnB: columnInput(layout) } : {}),
    victim: { dtype: 'i32', shape: [layout.B, layout.H], fill: () => -1, strided: true },
  }
}

function at(sizes: Sizes): OpCase<AttentionAttrs> {
  const { layout, C, G, D, dtype, mass, score } = sizes
  const budget = Math.max(0, layout.cap - 2)
  return {
    name: `B${layout.B} C${C} H${layout.H} G${G} D${D} cap${layout.cap} ${dtype}${mass ? ' mass' : ''} ${score?.kind ?? ''}`.trim(),
    inputs: {
      q: { dtype: 'f32', shape: [layout.B, C, layout.H * G, D], strided: 3 },
      keys: slotRowsInput(layout, D, dtype),
      values: slotRowsInput(layout, D, dtype),
      count: countInput(layout),
      ...(mass ? { mass: columnInput(layout, (_, random) => random.next()) } : {}),
      ...(score ? victimInputs(sizes) : {}),
    },
    attrs: { scale: 1 / Math.sqrt(D), ...(score ? { victim: { score, budget, first: 2, last: 1 } } : {}) },
  }
}

const full = (B: number, H: number, n: number): SlotLayout => ({
  B,
  H,
  cap: n,
  counts: new Array(B * H).fill(n),
  order: 'ascending',
})

const decay: SlotScore = { kind: 'decay', ageOffset: 2 }

export const attentionCases: OpCases<AttentionAttrs> = {
  cases: [
    at({ layout: edgeLayout(1, 1, 1), C: 1, G: 1, D: 1, dtype: 'f32' }),
    at({ layout: edgeLayout(2, 3, 64), C: 1, G: 2, D: 64, dtype: 'bf16', score: decay, columns: 1 }),
    at({ layout: edgeLayout(1, 5, 257), C: 1, G: 3, D: 80, dtype: 'f16', score: decay, columns: 2 }),
    at({
      layout: edgeLayout(2, 3, 100),
      C: 1,
      G: 1,
      D: 96,
      dtype: 'f32',
      mass: true,
      score: { kind: 'column' },
    }),
    at({ layout: edgeLayout(1, 5, 33), C: 1, G: 8, D: 16, dtype: 'bf16', score: { kind: 'recency' } }),
    at({ layout: edgeLayout(1, 5, 66), C: 7, G: 5, D: 32, dtype: 'bf16', mass: true }),
    at({ layout: edgeLayout(1, 2, 40), C: 0, G: 2, D: 32, dtype: 'f32' }),
    at({ layout: full(1, 2, 300), C: 300, G: 2, D: 48, dtype: 'bf16', mass: true }),
    at({ layout: full(2, 1, 130), C: 65, G: 4, D: 256, dtype: 'f16' }),
  ],
  fuzz: (random) => {
    const oneToken = random.next() < 0.6
    const layout = randomLayout(random, random.next() < 0.3 ? 600 : 130)
    const scores: readonly SlotScore[] = [
      { kind: 'recency' },
      decay,
      { kind: 'decay', ageOffset: 0 },
      { kind: 'column' },
    ]
    return at({
      layout,
      C: oneToken ? 1 : random.int(0, Math.min(layout.cap, 90)),
      G: random.int(1, 8),
      D: [16, 32, 64, 80, 96, 128, 256, random.int(1, 40)][random.int(0, 7)]!,
      dtype: (['f32', 'bf16', 'f16', 'f8'] as const)[random.int(0, 3)]!,
      mass: random.next() < 0.4,
      ...(oneToken && random.next() < 0.6
        ? { score: scores[random.int(0, 3)]!, columns: random.next() < 0.5 ? 1 : 2 }
        : {}),
    })
  },
  bench: [
    at({ layout: full(1, 8, 1024), C: 1, G: 2, D: 128, dtype: 'bf16' }),
    at({ layout: full(1, 8, 1024), C: 1, G: 2, D: 128, dtype: 'bf16', score: decay, columns: 1 }),
    at({ layout: full(1, 8, 1024), C: 1, G: 4, D: 128, dtype: 'bf16' }),
    at({ layout: full(1, 8, 1024), C: 512, G: 2, D: 128, dtype: 'bf16' }),
    at({ layout: full(8, 8, 128), C: 1, G: 2, D: 128, dtype: 'bf16' }),
  ],
}
