import { fail } from '@trimkv/tensor'
import type { JsonValue } from '../json-value.ts'
import type { LineBufferState } from './line-buffer.ts'
import type { LineRef, ScanPosition } from './line-scanner.ts'

/** Where a {@link JsonlSource} stands: everything is a place in the files, no text. */
export interface JsonlState extends LineBufferState {
  readonly sizes: readonly number[]
  /** Documents made of the lines taken. */
  readonly given: number
  /** Lines whose documents wait for a row. */
  readonly waiting: readonly LineRef[]
}

const kind = 'jsonl'

type Packed = readonly number[]

const packRef = ({ file, offset, length, line }: LineRef): Packed => [file, offset, length, line]
const packPosition = ({ file, offset, line, index }: ScanPosition): Packed => [file, offset, line, index]

export function jsonOfState({ position, buffer, waiting, ...rest }: JsonlState): JsonValue {
  return {
    kind,
    ...rest,
    position: packPosition(position),
    buffer: buffer.map(packRef),
    waiting: waiting.map(packRef),
  }
}

/**
 * @param sizes of the files as they are now
 * @throws TrimError `TRIMKV_FORMAT` when it is no such state, or the files are others
 */
export function stateOfJson(value: JsonValue, sizes: readonly number[]): JsonlState {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const { epoch, draws, given } = fields
  const [position] = packedList([fields.position]) ?? []
  const [saved, buffer, waiting] = [
    packed(fields.sizes),
    packedList(fields.buffer),
    packedList(fields.waiting),
  ]
  const counts = packed([epoch, draws, given])
  if (fields.kind !== kind || !position || !saved || !buffer || !waiting || !counts) {
    return fail('TRIMKV_FORMAT', 'this is no state of a source of JSON lines')
  }
  if (saved.length !== sizes.length || saved.some((size, i) => size !== sizes[i])) {
    fail('TRIMKV_FORMAT', 'the data files are not those of the saved state', {
      why: [`expected files of ${saved.join(', ')} bytes`, `got ${sizes.join(', ')}`],
      hint: 'go on with the same files, or start anew',
    })
  }
  const [file, offset, line, index] = position
  return {
    sizes,
    position: { file: file!, offset: offset!, line: line!, index: index! },
    epoch: counts[0]!,
    draws: counts[1]!,
    given: counts[2]!,
    buffer: buffer.map(unpackRef),
    waiting: waiting.map(unpackRef),
  }
}

const unpackRef = ([file, offset, length, line]: Packed): LineRef => ({
  file: file!,
  offset: offset!,
  length: length!,
  line: line!,
})

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function packed(value: unknown): Packed | undefined {
  return Array.isArray(value) && value.every(isCount) ? value : undefined
}

function packedList(value: unknown): readonly Packed[] | undefined {
  const isFour = (entry: unknown): entry is Packed => packed(entry)?.length === 4
  return Array.isArray(value) && value.every(isFour) ? value : undefined
}
