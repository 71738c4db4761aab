import { parseModelConfig } from '@trimkv/io'
import { modelShape, specOf } from '@trimkv/models'
import { qwen3Config } from '../training/qwen3-checkpoint.ts'
import { shape } from './bench-files.ts'
import type { WeightFormat } from './weight-formats.ts'

const { parameters } = modelShape(specOf(parseModelConfig(qwen3Config, 'config.json')))
const kvBytes = 2 // keys and values are kept in bf16

/** Bytes that a step must read: every weight once for all sequences, and what each sequence has stored. */
export function stepBytes(
  format: WeightFormat,
  { batch, stored }: { batch: number; stored: number },
): number {
  return (
    parameters * format.bytes + batch * stored * 2 * shape.layers * shape.kvHeads * shape.headDim * kvBytes
  )
}

/**
 * Arithmetic to read `tokens` into an empty cache and give logits of the last one: `2·P` per token for the P parameters of
 * the layers, `2·L·T²·Hq·D` for the causal half of attention, and the output head once.
 */
export function prefillFlops(tokens: number): number {
  const head = shape.vocab * shape.width
  const attention = 2 * shape.layers * tokens * tokens * shape.heads * shape.headDim
  return 2 * (parameters - head) * tokens + attention + 2 * head
}
