import { describe, expect, it } from 'vitest'
import type { Sample } from '../sample.ts'
import { countWords } from '../text/words.ts'
import { type TaskName, tasks } from './index.ts'

const uuidPattern = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/
const keyPattern = /^[a-z]+-[a-z]{6}$/
const numberPattern = /^[1-9]\d{6}$/

const needlesOf = ({ text }: Sample): [string, string][] =>
  [...text.matchAll(/One of the special magic \w+ for (\S+) is: (\S+)\./g)].map(([, key, value]) => [
    key!,
    value!,
  ])

const answersOf = ({ questions }: Sample): string[] =>
  questions.flatMap(({ answers }) => answers.map(({ text }) => text))

describe('needles in a haystack', () => {
  it.each([
    ['single-1', 1, keyPattern, numberPattern, 1],
    ['single-2', 1, keyPattern, numberPattern, 1],
    ['single-3', 1, keyPattern, uuidPattern, 1],
    ['multikey-1', 4, keyPattern, numberPattern, 1],
    ['multikey-2', 300, keyPattern, numberPattern, 1],
    ['multikey-3', 300, uuidPattern, uuidPattern, 1],
    ['multivalue', 4, keyPattern, numberPattern, 4],
    ['multiquery', 4, keyPattern, numberPattern, 4],
  ] as const)('are as RULER defines %s', (name, count, key, value, asked) => {
    for (const seed of [1, 2, 3]) {
      const sample = tasks[`ruler-like-niah-${name}`]().sample(seed)
      const needles = needlesOf(sample)
      if (count === 300) expect(needles.length).toBeGreaterThan(300)
      else expect(needles).toHaveLength(count)
      for (const [needleKey, needleValue] of needles) {
        expect(needleKey).toMatch(key)
        expect(needleValue).toMatch(value)
      }
      expect(new Set(needles.map(([, each]) => each)).size).toBe(needles.length)
      expect(new Set(needles.map(([each]) => each)).size).toBe(name === 'multivalue' ? 1 : needles.length)
      expect(answersOf(sample)).toHaveLength(asked)
    }
  })

  it('stand at any depth of the text', () => {
    const task = tasks['ruler-like-niah-single-2']({ length: { targetWords: 1000 } })
    const depths = Array.from({ length: 60 }, (_, index) => {
      const { questions, words } = task.sample(1, index)
      return questions[0]!.answers[0]!.lastSeen / words.length
    })
    for (const third of [0, 1 / 3, 2 / 3]) {
      expect(depths.filter((depth) => depth >= third && depth < third + 1 / 3).length).toBeGreaterThan(8)
    }
  })

  it('are asked for throughout an interleaved text, each after its values', () => {
    const sample = tasks
      .needle({
        setting: 'interleaved',
        keys: 6,
        values: 2,
        queries: 5,
        length: { targetWords: 1500 },
      })
      .sample(1)
    expect(sample.questions).toHaveLength(5)
    expect(answersOf(sample)).toHaveLength(10)
    expect(sample.questions[0]!.start).toBeLessThan(sample.words.length * 0.9)
  })

  it('cannot be more than there are depths, nor asked for more than there are', () => {
    expect(() => tasks.needle({ keys: 11, values: 4 })).toThrow(
      /keys · values must be an integer, in 1…40; got 44/,
    )
    expect(() => tasks.needle({ keys: 2, queries: 3 })).toThrow(/queries must be an integer, in 1…2; got 3/)
  })
})

describe('variable tracking', () => {
  it('asks for five variables in four hops, after an example about other variables', () => {
    const sample = tasks['ruler-like-vt']().sample(1)
    const lines = [...sample.text.matchAll(/VAR ([A-Z]+) = /g)].map(([, name]) => name!)
    expect(lines.map((name) => name.length)).toEqual([3, 3, 3, 3, 3, 5, 5, 5, 5, 5])
    expect(answersOf(sample)).toEqual(lines.slice(5))
    expect(sample.text).toMatch(/VAR [A-Z]{5} = [1-9]\d{4}\n/)
    const example = sample.text.indexOf('Now the same for another text.')
    expect(countWords(sample.text.slice(0, example))).toBeGreaterThan(300)
  })

  it('keeps the lines of a chain in order only where that is asked for', () => {
    const isSorted = (order: 'sorted' | 'shuffled'): boolean[] =>
      Array.from({ length: 20 }, (_, index) => {
        const { text } = tasks['variable-tracking']({ order, chains: 1, hops: 4 }).sample(1, index)
        const lines = [...text.matchAll(/VAR (\w+) = (?:VAR )?(\w+)/g)]
        return lines.every(([, , from], i) => i === 0 || from === lines[i - 1]![1])
      })
    expect(isSorted('sorted')).not.toContain(false)
    expect(isSorted('shuffled')).toContain(false)
  })

  it('needs every line of the chain for the last value', () => {
    const { questions, words } = tasks['variable-tracking']({ chains: 3, hops: 3 }).sample(1)
    const [{ spans, lastSeen, text }] = questions[0]!.answers as [(typeof questions)[0]['answers'][0]]
    expect(spans).toHaveLength(4)
    expect(words[lastSeen]).toBe(text)
    for (const [i, span] of spans.entries()) {
      expect(words[span.start]).toBe('VAR')
      if (i > 0) expect(words[span.end - 1]).toBe(words[spans[i - 1]!.start + 1])
    }
  })
})

/** How often each word of the list stands there, in descending order. */
function listCounts(text: string): number[] {
  const counts = new Map<string, number>()
  for (const [, word] of text.matchAll(/\d+\. ([a-z]+)/g)) counts.set(word!, (counts.get(word!) ?? 0) + 1)
  return [...counts.values()].sort((a, b) => b - a)
}

describe('common words', () => {
  it.each([
    [4096, 30, 3, 10, 3, 30],
    [2048, 6, 1, 3, 1, 10],
  ])('repeats them as often as RULER in %d words', (targetWords, common, rare, shown, shownRare, others) => {
    const { text } = tasks['ruler-like-cwe']({ length: { targetWords } }).sample(1)
    const [example, main] = text.split('Now the same for another list.') as [string, string]
    const answers = 'The most common words are:'
    const counts = listCounts(main.slice(0, main.indexOf(answers)))
    expect(new Set(counts.slice(0, 10))).toEqual(new Set([common]))
    expect(new Set(counts.slice(10))).toEqual(new Set([rare]))
    const shownCounts = listCounts(example.slice(0, example.indexOf(answers)))
    expect(shownCounts).toEqual([...Array(10).fill(shown), ...Array(others).fill(shownRare)])
  })

  it('refuses words that are no more common than the others', () => {
    expect(() => tasks['ruler-like-cwe']({ repeats: { common: 3, rare: 3 } })).toThrow(/repeats.common/)
  })
})

describe('frequent words', () => {
  it('fall with the square of their rank, three dots being the first', () => {
    const sample = tasks['ruler-like-fwe']().sample(1)
    const coded = sample.text.split('\n')[1]!.split(' ')
    const counts = new Map<string, number>()
    for (const word of coded) counts.set(word, (counts.get(word) ?? 0) + 1)
    const [dots, ...others] = [...counts].sort((a, b) => b[1] - a[1])
    expect(dots![0]).toBe('...')
    // Rank 1 is 1/ζ(2) of all, rank r a share of that.
    expect(dots![1] / coded.length).toBeCloseTo(6 / Math.PI ** 2, 1)
    for (const [i, [word, count]] of others.slice(0, 5).entries()) {
      expect(word).toMatch(/^[a-z]{6}$/)
      expect(Math.abs(count - dots![1] / (i + 2) ** 2)).toBeLessThan(1.1)
    }
    expect(answersOf(sample)).toEqual(others.slice(0, 3).map(([word]) => word))
  })

  it('never leaves the rank of a word that is asked for open', () => {
    for (let targetWords = 70; targetWords < 200; targetWords++) {
      const { text, questions } = tasks['ruler-like-fwe']({ length: { targetWords } }).sample(1)
      const coded = text.split('\n')[1]!.split(' ')
      const countOf = (word: string): number => coded.filter((each) => each === word).length
      const asked = questions[0]!.answers.map((answer) => answer.text)
      const others = new Set(coded.filter((word) => word !== '...' && !asked.includes(word)))
      const counts = [...asked.map(countOf), Math.max(0, ...[...others].map(countOf))]
      expect(
        counts.slice(1).every((count, i) => count < counts[i]!),
        `${targetWords}: ${counts}`,
      ).toBe(true)
    }
  })

  it('refuses an exponent without a sum and a text too short to rank words', () => {
    expect(() => tasks['ruler-like-fwe']({ exponent: 1 })).toThrow(/exponent must be between 1 and 10; got 1/)
    const short = tasks['ruler-like-fwe']({ frequentWords: 5, length: { targetWords: 60 } })
    expect(() => short.sample(1)).toThrow(/cannot have 5 words of different frequency/)
  })
})

describe('question answering', () => {
  it.each([1, 2, 3])('needs %d documents of many', (hops) => {
    const sample = tasks['ruler-like-qa-1']({ hops, length: { targetWords: 600 } }).sample(1)
    const [answer] = sample.questions[0]!.answers
    expect(answer!.spans).toHaveLength(hops)
    const told = answer!.spans.map(({ start, end }) => sample.words.slice(start, end).join(' '))
    expect(told.at(-1)).toMatch(new RegExp(`^\\w+ was born in ${answer!.text}$`))
    for (const fact of told.slice(0, -1)) expect(fact).toMatch(/^\w+ was taught by \w+$/)
    expect([...sample.text.matchAll(/^Document \d+:$/gm)].length).toBeGreaterThan(20)
  })

  it('can be filled with an essay instead', () => {
    const { text } = tasks['ruler-like-qa-2']({ distractors: 'essay' }).sample(1)
    expect([...text.matchAll(/^Document \d+:$/gm)]).toHaveLength(2)
  })
})

it('names every RULER task', () => {
  const ruler = (Object.keys(tasks) as TaskName[]).filter((name) => name.startsWith('ruler-like-'))
  expect(ruler).toHaveLength(13)
  for (const name of ruler) expect(tasks[name]().source).toContain('arXiv:2404.06654')
})
