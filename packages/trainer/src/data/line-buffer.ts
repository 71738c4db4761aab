import { createRandom } from '@trimkv/tasks'
import { type LineRef, type LineScanner, type ScanPosition, scanStart } from './line-scanner.ts'
import { isInPart, type Split } from './split.ts'

/** Where a {@link LineBuffer} stands. */
export interface LineBufferState {
  readonly position: ScanPosition
  readonly epoch: number
  /** Lines taken so far. */
  readonly draws: number
  readonly buffer: readonly LineRef[]
}

/** The lines of one part, over and over. */
export interface LineBuffer {
  /** How often all lines were taken. */
  readonly epoch: number
  state(): LineBufferState
  /** The next line; undefined when there is none in any file. */
  draw(): Promise<LineRef | undefined>
  restore(state: LineBufferState): void
}

export interface LineBufferOptions {
  /** Draws each line at random from so many that come next; unless given, in the order of the files. */
  readonly shuffle?: { readonly seed: number; readonly buffer: number }
  /** Gives one part of the lines; all of them unless given. */
  readonly split?: Split
}

/** The n-th line depends on the files, the options and n alone: each draw has a random number of its own. */
export function bufferLines(scanner: LineScanner, { shuffle, split }: LineBufferOptions): LineBuffer {
  const capacity = shuffle?.buffer ?? 1
  let [epoch, draws] = [0, 0]
  let buffer: LineRef[] = []

  async function fill(): Promise<void> {
    while (buffer.length < capacity) {
      const found = await scanner.next()
      if (!found) return
      if (!split || isInPart(found.index, split)) buffer.push(found.ref)
    }
  }

  return {
    get epoch() {
      return epoch
    },
    state: () => ({ position: scanner.position, epoch, draws, buffer }),
    async draw() {
      await fill()
      if (buffer.length === 0) return undefined
      const choice = shuffle ? createRandom(`shuffle/${shuffle.seed}/${draws}`).int(buffer.length) : 0
      const ref = buffer[choice]!
      buffer[choice] = buffer.at(-1)!
      buffer.pop()
      draws++
      await fill()
      if (buffer.length === 0) {
        scanner.moveTo(scanStart)
        epoch++
      }
      return ref
    },
    restore(state) {
      ;({ epoch, draws } = state)
      buffer = [...state.buffer]
      scanner.moveTo(state.position)
    },
  }
}
