export { type LoadedModel, load } from './load.ts'
export { loadPolicyFile, readPolicy } from './policy-file.ts'
export { errorText } from './terminal/error-text.ts'
export {
  bytesText,
  countText,
  durationText,
  notMeasured,
  numberText,
  percentText,
} from './terminal/number-text.ts'
export { paintedTokens, paintLegend, type TokenMark } from './terminal/painted-tokens.ts'
export { type Progress, startProgress } from './terminal/progress.ts'
export { type Column, tableText } from './terminal/table-text.ts'
export { type Colors, createTerminal, type Terminal, type Verbosity } from './terminal/terminal.ts'
