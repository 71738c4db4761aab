import { rmsNorm } from './rms-norm/rms-norm.ts'

/** Every operator, by name. Adding one: its folder, its two lines here. */
export interface OpTable {
  readonly rmsNorm: typeof rmsNorm
}

export const opTable: OpTable = {
  rmsNorm,
}
