import { type FuzzTarget, fuzzTarget } from '@trimkv/testing'
import { submitRandomCommands } from '../random-commands.ts'

/** The other side of the encoder: native code is not in the report, `pnpm sanitize` watches it instead. */
export const target: FuzzTarget = fuzzTarget({
  covers: ['packages/tensor/src/encoder.ts', 'packages/tensor/src/native-error.ts'],
  // Commands of this kind are our own code's alone to give: what it promises (counts, slots, numbers of operands) is broken here.
  refusals: [
    'TRIMKV_INVARIANT',
    'TRIMKV_SHAPE',
    'TRIMKV_HANDLE',
    'TRIMKV_DTYPE',
    'TRIMKV_OPTION',
    'TRIMKV_TOKEN_RANGE',
  ],
  createCase: (random) => ({ run: () => submitRandomCommands(random) }),
})
