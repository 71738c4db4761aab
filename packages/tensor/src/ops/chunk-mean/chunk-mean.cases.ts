import type { OpCase, OpCases } from '../../op-case.ts'
import { columnInput, countInput, edgeLayout, randomLayout, type SlotLayout } from '../../slot-case-inputs.ts'
import type { ChunkMeanAttrs } from './chunk-mean.ts'

const at = (layout: SlotLayout, length: number): OpCase<ChunkMeanAttrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} chunks of ${length}`,
  inputs: { scores: columnInput(layout), count: countInput(layout) },
  attrs: { length },
})

export const chunkMeanCases: OpCases<ChunkMeanAttrs> = {
  cases: [at(edgeLayout(1, 1, 1), 1), at(edgeLayout(2, 3, 47), 20), at(edgeLayout(2, 3, 20), 100)],
  fuzz: (random) => at(randomLayout(random, 90), random.int(1, 30)),
}
