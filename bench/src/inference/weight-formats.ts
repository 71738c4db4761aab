import type { LoadModelOptions } from '@trimkv/engine'
import { fail } from '@trimkv/tensor'
import type { GgufFormat } from '../gguf-writer.ts'

/** How weights are stored here, and what llama.cpp is given to read as many bits. */
export interface WeightFormat {
  readonly peer: GgufFormat
  /** Of one number of a matrix, scales included. */
  readonly bytes: number
  /** What loads the bf16 checkpoint in this format. */
  readonly load: LoadModelOptions
}

const formats: Readonly<Record<string, WeightFormat>> = {
  bf16: { peer: 'F16', bytes: 2, load: {} },
}

export function weightFormat(name: string): WeightFormat {
  return (
    formats[name] ??
    fail('TRIMKV_OPTION', `there are no weights ${name}`, {
      hint: `choose ${Object.keys(formats).join(', ')}`,
    })
  )
}
