import { loadTokenizer, type Tokenizer } from '@trimkv/io'
import { answerWords, type Task, type TaskOptions, tasks } from '@trimkv/tasks'
import { seededRandom } from '@trimkv/testing'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Batch } from '../batch.ts'
import { type TaskSourceOptions, taskSource } from './task-source.ts'
import type { TaskStage } from './task-stage.ts'

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = await loadTokenizer(new URL('../../../reference-model/model', import.meta.url).pathname)
})

const recall: TaskStage = {
  rows: 2,
  length: 96,
  mixture: [{ task: 'recall', options: { facts: 3, questions: 4 }, share: 1 }],
  answerWeight: 1,
  otherWeight: 0.125,
}

async function take(count: number, options: Partial<TaskSourceOptions> = {}): Promise<Batch[]> {
  const source = taskSource({ tokenizer, stages: [recall], ...options })
  const batches: Batch[] = []
  while (batches.length < count) batches.push(await source.next())
  return batches
}

interface Text {
  readonly ids: number[]
  readonly labels: number[]
  readonly weights: number[]
}

/** The documents of a batch, without what is left of rows. */
function textsOf({ ids, labels, weights, positions, batch, length }: Batch): Text[] {
  const texts: Text[] = []
  for (let i = 0; i < batch * length; i++) {
    if (positions[i] === 0) texts.push({ ids: [], labels: [], weights: [] })
    const text = texts.at(-1)!
    text.ids.push(ids[i]!)
    text.labels.push(labels[i]!)
    text.weights.push(weights[i]!)
  }
  return texts.filter(({ labels }) => labels[0] !== -100)
}

const wordsOf = ({ ids }: Text): string[] => tokenizer.decode(ids.slice(1)).trim().split(' ')

describe('taskSource', () => {
  it('writes the begin token, then a text that fills the row; every token is a target', async () => {
    for (const batch of await take(3)) {
      const texts = textsOf(batch)
      expect(texts).toHaveLength(2)
      for (const text of texts) {
        expect(tokenizer.idToToken(text.ids[0]!)).toBe('<|bos|>')
        expect(text.labels).toEqual(text.ids)
        expect(text.ids.length).toBeGreaterThan(96 - 13)
        expect(text.ids.length).toBeLessThanOrEqual(96)
        expect(wordsOf(text).filter((word) => word === 'put')).toHaveLength(3)
        expect(wordsOf(text).filter((word) => word === 'find')).toHaveLength(4)
      }
    }
  })

  it('weighs the answers of the task as answers, and no other token', async () => {
    for (const text of textsOf((await take(1))[0]!)) {
      const words = ['<|bos|>', ...wordsOf(text)]
      // Here a word is a token; `find key barn .` asks for `barn`.
      const answers = words.map((_, i) => words[i - 2] === 'find')
      expect(text.weights).toEqual(answers.map((isAnswer) => (isAnswer ? 1 : 0.125)))
    }
  })

  it('finds the tokens of answers with a tokenizer that cuts words', async () => {
    const cutting: Tokenizer = {
      ...tokenizer,
      bosTokenId: 0,
      encode: (text) => Array.from(text.match(/.{1,3}/g)!, (piece) => encodePiece(piece)),
      pieces: (ids) => Array.from(ids, pieceOf),
    }
    const mixture = [{ task: 'code', share: 1 }] as const
    const stage = { ...recall, rows: 1, length: 1000, mixture, answerWeight: 1, otherWeight: 0 }
    const [batch] = await take(1, { tokenizer: cutting, stages: [stage] })
    const [text] = textsOf(batch!)
    const pieces = text!.ids.slice(1).map(pieceOf)
    const countTokens = (written: string) => cutting.encode(written).length
    const make = tasks.code as (options: Partial<TaskOptions>) => Task
    const sample = make({ length: { targetTokens: 999, countTokens } }).sample(0, 0)
    expect(pieces.join('')).toBe(sample.text)
    const touched = answerWords(sample).map(
      (word) => [sample.offsets[word]!, sample.words[word]!.length] as const,
    )
    const expected = pieces.map((piece, i) => {
      const start = pieces.slice(0, i).join('').length
      return touched.some(([at, length]) => at < start + piece.length && at + length > start)
    })
    expect(text!.weights.slice(1).map(Boolean)).toEqual(expected)
    expect(expected.filter(Boolean).length).toBeGreaterThan(5)
  })

  it('refuses a tokenizer that does not give the text back', async () => {
    const lossy: Tokenizer = { ...tokenizer, pieces: (ids) => Array.from(ids, () => 'x') }
    await expect(take(1, { tokenizer: lossy })).rejects.toMatchObject({ code: 'TRIMKV_UNSUPPORTED' })
  })

  it('repeats random sequences', async () => {
    const mixture = [
      { task: 'copy', tokens: { from: 5, to: 9 }, repeats: { oneOf: [2, 3] }, share: 1 },
    ] as const
    const [batch] = await take(1, { stages: [{ ...recall, rows: 4, mixture }] })
    const kinds = new Set<string>()
    for (const { ids, weights } of textsOf(batch!)) {
      const said = ids.slice(1)
      const size = [5, 6, 7, 8, 9].find((n) => said.every((id, i) => i < n || id === said[i - n]))!
      kinds.add(`${size} ${said.length / size}`)
      expect(weights).toEqual(ids.map((_, i) => (i > size ? 1 : 0.125)))
      expect(said.some((id) => tokenizer.isSpecial(id))).toBe(false)
    }
    expect(kinds.size).toBeGreaterThan(4)
    const [full] = await take(1, { stages: [{ ...recall, mixture: [{ task: 'copy', share: 1 }] }] })
    expect(textsOf(full!).map(({ ids }) => ids.length)).toEqual([95, 95])
  })

  it('packs short texts into a row', async () => {
    const mixture = [
      { task: 'recall', options: { facts: 1, questions: 1 }, words: { from: 12, to: 24 }, share: 1 },
    ]
    const [batch] = await take(1, { stages: [{ ...recall, rows: 8, mixture } as TaskStage] })
    const texts = textsOf(batch!)
    expect(texts.length).toBeGreaterThan(8 * 3)
    expect(Math.max(...texts.map(({ ids }) => ids.length))).toBeLessThanOrEqual(25)
    expect(texts.reduce((sum, { ids }) => sum + ids.length, 0)).toBeGreaterThan(0.85 * 8 * 96)
  })

  it('draws options from ranges, and tasks by their share', async () => {
    const options = {
      facts: { from: 1, to: 4 },
      questions: 2,
      noise: { oneOf: ['plain', 'mentioning'] },
    } as const
    const mixture = [
      { task: 'recall', options, share: 3 },
      { task: 'copy', share: 1 },
    ] as const
    const texts = textsOf((await take(1, { stages: [{ ...recall, rows: 100, length: 64, mixture }] }))[0]!)
    // Of a copy all of the second half is an answer.
    const recalled = texts.filter(({ weights }) => weights.filter((weight) => weight === 1).length === 2)
    expect(recalled.length).toBeGreaterThan(60)
    expect(recalled.length).toBeLessThan(90)
    const facts = recalled.map((text) => wordsOf(text).filter((word) => word === 'put').length)
    expect([...new Set(facts)].sort()).toEqual([1, 2, 3, 4])
  })

  it('goes through its stages, and stays in the last', async () => {
    const stages: TaskStage[] = [
      { ...recall, batches: 2 },
      { ...recall, batches: 1, rows: 3, length: 128 },
      { ...recall, rows: 1, length: 160 },
    ]
    const source = taskSource({ tokenizer, stages })
    expect([source.batch, source.maxLength]).toEqual([3, 160])
    const shapes = (await take(6, { stages })).map(({ batch, length }) => [batch, length])
    expect(shapes).toEqual([
      [2, 96],
      [2, 96],
      [3, 128],
      [1, 160],
      [1, 160],
      [1, 160],
    ])
  })

  it('gives batch k from its options and k alone', async () => {
    const stages: TaskStage[] = [
      { ...recall, batches: 5 },
      { ...recall, length: 128, mixture: [...recall.mixture, { task: 'copy', share: 1 }] },
    ]
    const uninterrupted = await take(20, { stages })
    expect(await take(20, { stages })).toEqual(uninterrupted)
    const random = seededRandom(2)
    for (let run = 0; run < 6; run++) {
      const before = random.int(0, 18)
      const source = taskSource({ tokenizer, stages })
      for (let i = 0; i < before; i++) await source.next()
      const state = JSON.parse(JSON.stringify(source.state()))
      const resumed = taskSource({ tokenizer, stages })
      await resumed.restore(state)
      expect(await resumed.next()).toEqual(uninterrupted[before])
      expect(await resumed.next()).toEqual(uninterrupted[before + 1])
    }
    expect(uninterrupted[0]).not.toEqual(uninterrupted[1])
  })

  it('gives other texts for another seed and for validation', async () => {
    const texts = async (options: Partial<TaskSourceOptions>): Promise<string[]> =>
      (await take(20, options)).flatMap((batch) => textsOf(batch).map((text) => wordsOf(text).join(' ')))
    const parts = [
      await texts({}),
      await texts({ part: 'validation' }),
      await texts({ seed: 1 }),
      await texts({ seed: 1, part: 'validation' }),
    ]
    expect(new Set(parts.flat()).size).toBe(parts.flat().length)
  })

  it('refuses a state of something else', async () => {
    const source = taskSource({ tokenizer, stages: [recall] })
    for (const state of [
      null,
      'x',
      { kind: 'jsonl', batch: 1 },
      { kind: 'tasks', batch: -1 },
      { kind: 'tasks' },
    ]) {
      await expect(source.restore(state as null)).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
    }
  })

  it('says which task does not fit its row', async () => {
    const crowded = {
      ...recall,
      mixture: [{ task: 'recall', options: { facts: 20 }, words: 20, share: 1 }],
    } as TaskStage
    await expect(take(1, { stages: [crowded] })).rejects.toThrow(/recall cannot be made.*words/s)
    const long = { ...recall, mixture: [{ task: 'recall', words: 200, share: 1 }] } as TaskStage
    await expect(take(1, { stages: [long] })).rejects.toThrow(/recall has \d+ tokens and a row only 96/)
    await expect(take(1, { stages: [long] })).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
    const copy = { ...recall, mixture: [{ task: 'copy', tokens: 60, share: 1 }] } as TaskStage
    await expect(take(1, { stages: [copy] })).rejects.toThrow(/copy has 121 tokens/)
  })

  it.each<[object, RegExp]>([
    [{ rows: 0 }, /stages\[0\]\.rows/],
    [{ length: 1 }, /stages\[0\]\.length/],
    [{ batches: 0 }, /stages\[0\]\.batches/],
    [{ answerWeight: -1 }, /answerWeight/],
    [{ otherWeight: Number.NaN }, /otherWeight/],
    [{ mixture: [] }, /mixture/],
    [{ mixture: [{ task: 'recal', share: 1 }] }, /mixture\[0\]\.task must be copy or a task.*recall, chain/s],
    [{ mixture: [{ task: 'recall', share: 0 }] }, /mixture\[0\]\.share/],
    [{ mixture: [{ task: 'recall', options: { facts: { from: 3, to: 2 } }, share: 1 }] }, /facts\.to/],
    [{ mixture: [{ task: 'recall', options: { noise: { oneOf: [] } }, share: 1 }] }, /noise\.oneOf/],
    [
      { mixture: [{ task: 'recall', options: { fact: 3 }, share: 1 }] },
      /options\.fact is no option of recall.*facts/s,
    ],
    [
      { mixture: [{ task: 'recall', options: { length: 3 }, share: 1 }] },
      /options\.length is no option.*words/s,
    ],
    [{ mixture: [{ task: 'copy', repeats: 1, share: 1 }] }, /repeats/],
    [{ mixture: [{ task: 'copy', tokens: 0, share: 1 }] }, /tokens/],
  ])('refuses %j', (wrong, message) => {
    expect(() => taskSource({ tokenizer, stages: [{ ...recall, ...wrong }] })).toThrow(message)
  })

  it('needs stages, an end of all but the last, and an integer seed', () => {
    expect(() => taskSource({ tokenizer, stages: [] })).toThrow(/at least one stage/)
    expect(() => taskSource({ tokenizer, stages: [recall, recall] })).toThrow(/stages\[0\]\.batches/)
    expect(() => taskSource({ tokenizer, stages: [recall], seed: 0.5 })).toThrow(/seed/)
  })
})

/** Up to three characters as one number. */
function encodePiece(piece: string): number {
  return Array.from(piece).reduce((id, character) => id * 128 + character.charCodeAt(0), 0)
}

function pieceOf(id: number): string {
  const codes: number[] = []
  for (let rest = id; rest > 0; rest = Math.floor(rest / 128)) codes.unshift(rest % 128)
  return String.fromCharCode(...codes)
}
