import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Task } from '../define-task.ts'
import { chain } from './chain.ts'
import { code } from './code.ts'
import { recall } from './recall.ts'

interface Recorded {
  readonly task: 'recall' | 'chain' | 'code'
  readonly text: string
  /** Indices into the tokens, of which the first is no word. */
  readonly answers: readonly number[]
}

const file = new URL('../../../reference-model/model/test.jsonl', import.meta.url)
const recorded = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded)
const textsOf = (kind: Recorded['task']): Recorded[] => recorded.filter(({ task }) => task === kind)

const fixed = new Set('put find let take code repeat visits sees with while plus minus gives :'.split(' '))

/** A word that a form is known by stands for itself, any other for its kind. */
function kindOf(word: string): string {
  if (fixed.has(word)) return word
  if (/^\d+$/.test(word)) return '0'
  return /^v[a-p]$/.test(word) ? 'v' : 'w'
}

const formsOf = (text: string): string[] =>
  text.split(' .').map((sentence) => sentence.trim().split(' ').map(kindOf).join(' '))

const samples = (make: (setting: 'stream' | 'interleaved') => Task): string[] =>
  (['stream', 'interleaved'] as const).flatMap((setting) =>
    Array.from({ length: 40 }, (_, seed) => make(setting).sample(seed).text),
  )

const length = { targetWords: 500 }
const made = {
  recall: samples((setting) => recall({ setting, length, facts: 20, questions: 30 })),
  chain: samples((setting) => chain({ setting, length, facts: 8, steps: 25, hops: 6 })),
  code: samples((setting) => code({ setting, length, facts: 6, questions: 8 })),
}

describe.each(['recall', 'chain', 'code'] as const)('%s texts', (kind) => {
  it('consist of the words that the bundled model was tested with', () => {
    const known = new Set(textsOf(kind).flatMap(({ text }) => text.split(' ')))
    const used = new Set(made[kind].flatMap((text) => text.split(' ')))
    expect([...used].filter((word) => !known.has(word))).toEqual([])
    expect([...known].filter((word) => !used.has(word))).toEqual([])
  })

  it('consist of the sentences that the bundled model was tested with', () => {
    const known = new Set(textsOf(kind).flatMap(({ text }) => formsOf(text)))
    const used = new Set(made[kind].flatMap(formsOf))
    expect([...used].filter((form) => !known.has(form))).toEqual([])
  })
})

describe('the answers of the bundled model’s texts', () => {
  it('are the words that these tasks ask for', () => {
    const patterns = {
      recall: /(?<=find \w+ )\w+/g,
      chain: /(?<=take \w+ )\d+|(?<=gives (?:v\w )?)\d+/g,
      code: /(?<=repeat : [\d ]*)\d+/g,
    }
    for (const kind of ['recall', 'chain', 'code'] as const) {
      for (const { text, answers } of textsOf(kind)) {
        const wanted = [...text.matchAll(patterns[kind])].map(
          ({ index }) => text.slice(0, index).split(' ').length,
        )
        expect(answers).toEqual(wanted)
      }
    }
  })
})
