import { type FileHandle, open } from 'node:fs/promises'
import { fail } from '@trimkv/tensor'
import type { LossTerms } from '../trainable.ts'

/** One step: the means over its micro-batches. */
export interface StepMetrics {
  readonly kind: 'step'
  readonly step: number
  readonly terms: LossTerms
  readonly learningRate: number
  /** Of all gradients together, before clipping. */
  readonly gradNorm: number
  /** Tokens of all its rows, padding included. */
  readonly tokens: number
  readonly tokensPerSecond: number
  /** Wall-clock time, the wait for data included. */
  readonly seconds: number
}

/** One validation: the means over its batches. */
export interface ValidationMetrics {
  readonly kind: 'validation'
  /** Updates done before it. */
  readonly step: number
  readonly terms: LossTerms
  /** Whether it is the best so far. */
  readonly best: boolean
  readonly seconds: number
}

/** One line of `metrics.jsonl`. */
export type Metrics = StepMetrics | ValidationMetrics

/** The lines of `metrics.jsonl`, one JSON object each. */
export class MetricsLog implements AsyncDisposable {
  /** What the file holds, in order. */
  readonly entries: Metrics[]
  readonly #handle: FileHandle
  readonly #file: string

  private constructor(file: string, handle: FileHandle, entries: Metrics[]) {
    this.#file = file
    this.#handle = handle
    this.entries = entries
  }

  /**
   * Opens a log to go on with it, and cuts off everything from the first line that is not whole or not to be kept.
   * @throws TrimError `TRIMKV_IO`
   */
  static async open(file: string, keep: (entry: Metrics) => boolean): Promise<MetricsLog> {
    const handle = await open(file, 'a+').catch((cause) => failed(file, cause))
    try {
      const { entries, bytes } = keptPart(await handle.readFile('utf8'), keep)
      await handle.truncate(bytes)
      return new MetricsLog(file, handle, entries)
    } catch (cause) {
      await handle.close()
      return failed(file, cause)
    }
  }

  /** @throws TrimError `TRIMKV_DISK` when the disk is full, else `TRIMKV_IO` */
  async append(entry: Metrics): Promise<void> {
    await this.#handle.appendFile(`${JSON.stringify(entry)}\n`).catch((cause) => failed(this.#file, cause))
    this.entries.push(entry)
  }

  /** Waits until the lines are on the disk: a checkpoint is never ahead of them. */
  async sync(): Promise<void> {
    await this.#handle.sync().catch((cause) => failed(this.#file, cause))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

function keptPart(text: string, keep: (entry: Metrics) => boolean): { entries: Metrics[]; bytes: number } {
  const entries: Metrics[] = []
  let length = 0
  for (;;) {
    const end = text.indexOf('\n', length)
    const entry = end < 0 ? undefined : parseEntry(text.slice(length, end))
    if (!entry || !keep(entry)) return { entries, bytes: Buffer.byteLength(text.slice(0, length)) }
    entries.push(entry)
    length = end + 1
  }
}

function parseEntry(line: string): Metrics | undefined {
  try {
    const entry = JSON.parse(line) as Partial<Metrics> | null
    return Number.isSafeInteger(entry?.step) ? (entry as Metrics) : undefined
  } catch {
    return undefined
  }
}

function failed(file: string, cause: unknown): never {
  const { code, message } = cause as NodeJS.ErrnoException
  fail(code === 'ENOSPC' || code === 'EDQUOT' ? 'TRIMKV_DISK' : 'TRIMKV_IO', `${file} cannot be written`, {
    why: [message],
    hint: 'check permissions and free space; training goes on from the last checkpoint',
    details: { file },
    cause,
  })
}
