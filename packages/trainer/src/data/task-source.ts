import type { Tokenizer } from '@trimkv/io'
import { createRandom } from '@trimkv/tasks'
import { fail } from '@trimkv/tensor'
import type { Batch } from '../batch.ts'
import type { DataSource } from '../data-source.ts'
import { assembleBatch } from './assemble-batch.ts'
import { checkStages } from './check-stages.ts'
import type { Document } from './document.ts'
import { packRows } from './row-filler.ts'
import type { Part } from './split.ts'
import { copyDocument, taskDocument } from './task-document.ts'
import { type CopyEntry, smallest, type TaskEntry, type TaskStage } from './task-stage.ts'

/** Which generated texts a source gives, and in which order. */
export interface TaskSourceOptions {
  readonly tokenizer: Tokenizer
  /** In order. */
  readonly stages: readonly TaskStage[]
  /** An integer; 0 unless given. */
  readonly seed?: number
  /** `train` unless given; the texts of the other part have other seeds. */
  readonly part?: Part
}

type Entry = TaskEntry | CopyEntry

/** Documents of one batch; far below it, so that no index is used twice. */
const documentsPerBatch = 2 ** 20

/**
 * Batches of generated texts, made when they are asked for: stages after one another, each a mixture of tasks at a length.
 * Texts shorter than a row share it.
 * @returns `batch` and `maxLength` are those of the largest stage
 * @throws TrimError `TRIMKV_OPTION` for a stage that cannot be; from `next`, for options that do not fit their length
 */
export function taskSource(options: TaskSourceOptions): DataSource {
  const { tokenizer, stages, seed = 0, part = 'train' } = options
  checkStages(stages)
  if (![seed, 2 * seed].every(Number.isSafeInteger))
    fail('TRIMKV_OPTION', `seed must be an integer; got ${seed}`)
  const alphabet = ordinaryIds(tokenizer)
  const taskSeed = 2 * seed + (part === 'train' ? 0 : 1)
  let batch = 0

  function documentOf(stage: TaskStage, number: number): Document {
    const random = createRandom(`mixture/${taskSeed}/${batch}/${number}`)
    const entry = pickEntry(stage.mixture, random.next())
    const draw = { random, seed: taskSeed, index: batch * documentsPerBatch + number }
    const maker = { tokenizer, alphabet, stage }
    return entry.task === 'copy' ? copyDocument(entry, draw, maker) : taskDocument(entry, draw, maker)
  }

  async function makeBatch(stage: TaskStage): Promise<Batch> {
    let made = 0
    const filler = packRows({ length: stage.length, least: leastTokens(stage), window: 4 })
    const rows: Document[][] = []
    while (rows.length < stage.rows) rows.push(await filler.next(async () => documentOf(stage, made++)))
    return assembleBatch(rows, stage.length)
  }

  return {
    batch: Math.max(...stages.map(({ rows }) => rows)),
    maxLength: Math.max(...stages.map(({ length }) => length)),
    async next() {
      const made = await makeBatch(stageAt(stages, batch))
      batch++
      return made
    },
    state: () => ({ kind: 'tasks', batch }),
    async restore(state) {
      const fields = (typeof state === 'object' && state !== null ? state : {}) as Record<string, unknown>
      const saved = fields.batch
      if (fields.kind !== 'tasks' || !Number.isSafeInteger(saved) || (saved as number) < 0) {
        fail('TRIMKV_FORMAT', 'this is no state of a source of generated tasks')
      }
      batch = saved as number
    },
    close: () => Promise.resolve(),
  }
}

/** The stage of a batch; the last one goes on. */
function stageAt(stages: readonly TaskStage[], batch: number): TaskStage {
  let first = 0
  for (const stage of stages.slice(0, -1)) {
    first += stage.batches!
    if (batch < first) return stage
  }
  return stages.at(-1)!
}

function pickEntry(mixture: readonly Entry[], point: number): Entry {
  let rest = point * mixture.reduce((sum, { share }) => sum + share, 0)
  for (const entry of mixture) {
    rest -= entry.share
    if (rest < 0) return entry
  }
  return mixture.at(-1)!
}

/** About what the shortest text takes, so that no text is made for a rest that none fits into. */
function leastTokens({ length, mixture }: TaskStage): number {
  const sizes = mixture.map((entry) => {
    if (entry.task !== 'copy') return entry.words === undefined ? length : smallest(entry.words)
    return entry.tokens === undefined ? length : smallest(entry.tokens) * smallest(entry.repeats ?? 2)
  })
  return Math.max(2, Math.min(...sizes))
}

function ordinaryIds(tokenizer: Tokenizer): number[] {
  const ids: number[] = []
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    if (tokenizer.idToToken(id) !== undefined && !tokenizer.isSpecial(id)) ids.push(id)
  }
  return ids
}
