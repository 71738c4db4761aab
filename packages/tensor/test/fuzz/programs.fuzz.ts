import { type FuzzTarget, fuzzTarget } from '@trimkv/testing'
import { submitRandomCommands } from '../random-commands.ts'

/** The other side of the encoder: native code is not in the report, `pnpm sanitize` watches it instead. */
export const target: FuzzTarget = fuzzTarget({
  covers: ['packages/tensor/src/encoder.ts', 'packages/tensor/src/native-error.ts'],
  createCase: (random) => ({ run: () => submitRandomCommands(random) }),
})
