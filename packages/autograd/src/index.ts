export type { Seed } from './backward.ts'
export { createTape, type Tape, type TapeOptions } from './tape.ts'
