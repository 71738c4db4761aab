import { fail, type QuantisedDType } from '@trimkv/tensor'
import type { GgufFormat } from '@trimkv/testing'

/** How weights are stored here, and what llama.cpp is given to read as many bits. */
export interface WeightFormat {
  readonly peer: GgufFormat
  /** Of one number of a matrix, scales included. */
  readonly bytes: number
  /** What the bf16 checkpoint is converted to; undefined: nothing. */
  readonly converted: QuantisedDType | undefined
  /** Throughput as a multiple of llama.cpp's; undefined where none is asked for. */
  readonly goals: {
    readonly decode: number
    readonly prefill: number | undefined
    /** After 8192 and 16,384 tokens. */
    readonly long: readonly [number, number]
  }
}

const formats: Readonly<Record<string, WeightFormat>> = {
  bf16: {
    peer: 'F16',
    bytes: 2,
    converted: undefined,
    goals: { decode: 1.1, prefill: 1.5, long: [2.5, 4] },
  },
  q8: {
    peer: 'Q8_0',
    bytes: 34 / 32,
    converted: 'q8',
    goals: { decode: 1.15, prefill: 1, long: [2.5, 6] },
  },
  q4: {
    peer: 'Q4_0',
    bytes: 18 / 32,
    converted: 'q4',
    goals: { decode: 1.1, prefill: undefined, long: [2.5, 4] },
  },
}

export function weightFormat(name: string): WeightFormat {
  return (
    formats[name] ??
    fail('TRIMKV_OPTION', `there are no weights ${name}`, {
      hint: `choose ${Object.keys(formats).join(', ')}`,
    })
  )
}
