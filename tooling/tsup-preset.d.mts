import type { Options } from 'tsup'

declare const preset: Options
export default preset
