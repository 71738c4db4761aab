import { type FileReader, openFileReader } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import type { DataSource } from '../data-source.ts'
import { assembleBatch } from './assemble-batch.ts'
import { checkCount } from './check-count.ts'
import type { Document } from './document.ts'
import { encodeRecord, type LeftOut, type RecordOptions } from './encode-record.ts'
import { jsonOfState, stateOfJson } from './jsonl-state.ts'
import { bufferLines, type LineBufferOptions } from './line-buffer.ts'
import { type LineRef, scanLines } from './line-scanner.ts'
import { oneDocumentPerRow, packRows, type RowFiller } from './row-filler.ts'
import { checkSplit } from './split.ts'

/** What to read, and how rows are made of it. */
export interface JsonlOptions extends RecordOptions, LineBufferOptions {
  /** Paths, read in this order. */
  readonly files: readonly string[]
  /** Rows of every batch. */
  readonly batch: number
  /**
   * True unless given: rows of `maxLength` tokens, several documents in each. False: one document per row, and rows as long as
   * the longest, rounded up to a multiple of 64.
   */
  readonly packing?: boolean
}

export interface JsonlSource extends DataSource {
  /** How often all documents have been taken, though some may still wait for a row. */
  readonly epoch: number
}

interface Placed extends Document {
  readonly ref: LineRef
}

const rowMultiple = 64

/**
 * Batches from files with one JSON record per line, over and over, each time in another order where they are shuffled. What
 * is held are places of lines, and the text of short ones, so that files may be larger than memory. A record has
 * `text`, `prompt` and `completion`, or `messages`, as {@link RecordOptions} say. Lines that give nothing to learn are left out.
 * @throws TrimError `TRIMKV_OPTION` for options out of range, `TRIMKV_NOT_FOUND` for a file; from `next`, `TRIMKV_FORMAT` with
 *   file and line for a line that is no record, `TRIMKV_OPTION` when no line gives a document
 */
export async function jsonlSource(options: JsonlOptions): Promise<JsonlSource> {
  checkOptions(options)
  const { files, batch, maxLength, packing = true } = options
  const readers = await openFiles(files)
  const sizes = readers.map(({ size }) => size)
  const scanner = scanLines(readers)
  const lines = bufferLines(scanner, options)
  const leftOut: Record<LeftOut, number> = { short: 0, 'without-target': 0 }
  let given = 0
  let rows = rowsWith([])

  function rowsWith(waiting: readonly Placed[]): RowFiller<Placed> {
    return packing ? packRows({ length: maxLength, waiting }) : oneDocumentPerRow()
  }

  async function encode(ref: LineRef): Promise<Placed | LeftOut> {
    const place = { file: files[ref.file]!, line: ref.line }
    const document = encodeRecord(await scanner.read(ref), place, options)
    return typeof document === 'string' ? document : { ...document, ref }
  }

  async function pull(): Promise<Placed> {
    for (;;) {
      const isBarren = given === 0 && lines.epoch > 0
      const ref = isBarren ? undefined : await lines.draw()
      if (!ref) return noDocument(options, leftOut)
      const document = await encode(ref)
      if (typeof document === 'string') leftOut[document]++
      else {
        given++
        return document
      }
    }
  }

  return {
    batch,
    maxLength,
    get epoch() {
      return lines.epoch
    },
    async next() {
      const documents: Placed[][] = []
      while (documents.length < batch) documents.push(await rows.next(pull))
      const longest = Math.max(...documents.map(([first]) => first!.ids.length))
      const rounded = Math.min(maxLength, Math.ceil(longest / rowMultiple) * rowMultiple)
      return assembleBatch(documents, packing ? maxLength : rounded)
    },
    state: () => jsonOfState({ ...lines.state(), sizes, given, waiting: rows.waiting.map(({ ref }) => ref) }),
    async restore(state) {
      const saved = stateOfJson(state, sizes)
      const waiting = await Promise.all(saved.waiting.map(encode))
      const documents = waiting.filter((document) => typeof document !== 'string')
      if (documents.length < waiting.length) {
        fail('TRIMKV_FORMAT', 'the data files have other lines than when the state was saved')
      }
      given = saved.given
      rows = rowsWith(documents)
      lines.restore(saved)
    },
    close: () => closeFiles(readers),
  }
}

/**
 * How many batches read every document once: for as many steps as epochs. Reads and encodes all of them.
 * @param onBatch called with the number so far; what it throws ends the count
 * @throws TrimError as {@link jsonlSource}
 */
export async function batchesPerEpoch(
  options: JsonlOptions,
  onBatch?: (count: number) => void,
): Promise<number> {
  const source = await jsonlSource(options)
  let count = 0
  try {
    for (; source.epoch === 0; count++) {
      onBatch?.(count)
      await source.next()
    }
  } finally {
    await source.close()
  }
  return count
}

async function openFiles(paths: readonly string[]): Promise<FileReader[]> {
  const readers: FileReader[] = []
  try {
    for (const path of paths) readers.push(await openFileReader(path))
  } catch (error) {
    await closeFiles(readers)
    throw error
  }
  return readers
}

async function closeFiles(readers: readonly FileReader[]): Promise<void> {
  for (const reader of readers) await reader[Symbol.asyncDispose]()
}

function checkOptions({ files, batch, maxLength, minCharacters = 0, shuffle, split }: JsonlOptions): void {
  if (files.length === 0) fail('TRIMKV_OPTION', 'files must name at least one file')
  checkCount('batch', batch, 1)
  checkCount('maxLength', maxLength, 2)
  checkCount('minCharacters', minCharacters, 0)
  if (shuffle) checkCount('shuffle.buffer', shuffle.buffer, 1)
  if (split) checkSplit(split)
}

function noDocument({ files, split, minCharacters }: JsonlOptions, leftOut: Record<LeftOut, number>): never {
  const { short, 'without-target': untargeted } = leftOut
  const why = [
    ...(short > 0 ? [`${short} are shorter than ${minCharacters} characters`] : []),
    ...(untargeted > 0 ? [`${untargeted} have no token to learn within maxLength`] : []),
  ]
  return fail('TRIMKV_OPTION', 'the data give no document to train on', {
    why: why.length > 0 ? why : [split ? `no line is in the part ${split.part}` : 'every line is blank'],
    hint: 'look at the files, the fields, minCharacters and maxLength',
    details: { files, ...leftOut },
  })
}
