import { createDevice } from '@trimkv/tensor'
import { answer, childOptions, residentMemory } from './child-process.ts'

/** What a gated attention with its backward took. */
export interface AttentionMemory {
  readonly length: number
  /** Inputs: queries, keys, values, log β and the gradient of the output. */
  readonly inputBytes: number
  /** Slab of the program: outputs and gradients. */
  readonly programBytes: number
  /** Peak resident memory above that before the program was recorded: slab, workspace and all else. */
  readonly peakBytes: number
}

/** Gated forward and backward of one row, Hq 16, H 8, D 128. */
function measure(length: number): AttentionMemory {
  using device = createDevice()
  // Zeros need no memory of JavaScript; with log β = 0 no tile can be left out.
  const zeros = (...shape: number[]) => device.zeros({ dtype: 'f32', shape: [1, length, ...shape] })
  const inputs = { q: zeros(16, 128), k: zeros(8, 128), v: zeros(8, 128), logBeta: zeros(8) }
  const dout = zeros(16, 128)
  const attrs = { scale: 1 / Math.sqrt(128) }
  const inputBytes = device.bytes()
  const before = residentMemory().now
  using program = device.record((ops) => {
    const outputs = ops.gatedAttention(inputs, attrs)
    ops.gatedAttentionGrad({ ...inputs, ...outputs, dout }, attrs)
  })
  program.runSync()
  return { length, inputBytes, programBytes: program.bytes, peakBytes: residentMemory().peak - before }
}

// A process of its own, started by the benchmark.
const { length } = childOptions<{ length: number }>()
answer(measure(length))
