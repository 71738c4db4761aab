import type { OpCase, OpCases } from '../../op-case.ts'
import {
  type GatedAttentionSizes,
  gatedAttentionBench,
  gatedAttentionInputs,
  gatedAttentionName,
  gatedAttentionSizes,
  randomGatedAttentionSizes,
} from '../gated-attention/gated-attention.cases.ts'
import type { GatedAttentionAttrs } from '../gated-attention/gated-attention.ts'

/** `out` and `lse` are drawn at random: the gradient is a function of them as they are given. */
const at = (sizes: GatedAttentionSizes): OpCase<GatedAttentionAttrs> => {
  const { B, T, H, G, D } = sizes
  return {
    name: gatedAttentionName(sizes),
    inputs: {
      ...gatedAttentionInputs(sizes),
      out: { dtype: 'f32', shape: [B, T, H * G, D], strided: 3 },
      lse: { dtype: 'f32', shape: [B, T, H * G], strided: 2, fill: (_, random) => 2 + random.normal() },
      dout: { dtype: 'f32', shape: [B, T, H * G, D], strided: 3 },
    },
    attrs: { scale: 1 / Math.sqrt(D) },
  }
}

export const gatedAttentionGradCases: OpCases<GatedAttentionAttrs> = {
  cases: gatedAttentionSizes.map(at),
  fuzz: (random) => at(randomGatedAttentionSizes(random)),
  bench: gatedAttentionBench.map(at),
}
