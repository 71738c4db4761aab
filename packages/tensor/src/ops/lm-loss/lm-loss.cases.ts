import type { CaseRandom, OpCase, OpCases } from '../../op-case.ts'
import { ignoredTarget } from './lm-loss.ref.ts'
import type { LmLossAttrs } from './lm-loss.ts'

interface Options {
  readonly kl?: LmLossAttrs['kl']
  readonly teacher?: boolean
  readonly scale?: number
}

function lmLossCase(rows: number, width: number, options: Options = {}): OpCase<LmLossAttrs> {
  const { kl = 'forward', teacher = true, scale = 1 } = options
  const logits = {
    dtype: 'f32',
    shape: [rows, width],
    strided: true,
    fill: (_: number, random: CaseRandom) => scale * random.normal(),
  } as const
  return {
    name: `[${rows}, ${width}] ${teacher ? kl : 'no teacher'} scale ${scale}`,
    inputs: {
      logits,
      ...(teacher ? { teacher: logits } : {}),
      targets: {
        dtype: 'i32',
        shape: [rows],
        fill: (_, random) => (random.next() < 0.3 ? ignoredTarget : random.int(0, width - 1)),
      },
    },
    attrs: { kl },
  }
}

export const lmLossCases: OpCases<LmLossAttrs> = {
  cases: [
    lmLossCase(2, 1),
    lmLossCase(0, 5),
    lmLossCase(5, 1000),
    lmLossCase(5, 1000, { kl: 'reverse' }),
    lmLossCase(3, 77, { scale: 60 }),
    lmLossCase(3, 77, { scale: 60, kl: 'reverse' }),
    lmLossCase(6, 33, { teacher: false }),
  ],
  fuzz: (random) =>
    lmLossCase(random.int(0, 6), random.int(2, 300), {
      kl: random.next() < 0.5 ? 'forward' : 'reverse',
      teacher: random.next() < 0.8,
      scale: random.int(1, 20),
    }),
  bench: [lmLossCase(16, 151936), lmLossCase(16, 151936, { kl: 'reverse' })],
}
