import type { TaskName } from '../src/index.ts'

/** Works out all answers of a question from the text that stands before the first of them, and nothing else. */
export type Solver = (prompt: string) => readonly string[]

const last = <T>(items: readonly T[], what: string): T => {
  const item = items.at(-1)
  if (item === undefined) throw new Error(`the text does not tell ${what}`)
  return item
}

const matches = (text: string, pattern: RegExp): RegExpExecArray[] => [...text.matchAll(pattern)]

const recall: Solver = (prompt) => {
  const thing = last(matches(prompt, /find (\w+)$/g), 'what to find')[1]
  const [, place] = last(matches(prompt, new RegExp(`put ${thing} (\\w+) \\.`, 'g')), `where ${thing} is`)
  return [place!]
}

const chain: Solver = (prompt) => {
  const values = new Map<string, number>()
  const computed = /(?:let (\w+) (\d+) \.)|(?:take (\w+) \d+ (plus|minus) (\d) gives(?: (v\w))?(?: \d+ \.)?)/g
  let result: number | undefined
  for (const [, name, value, from, operator, amount, to] of prompt.matchAll(computed)) {
    if (name) values.set(name, Number(value))
    else {
      result = values.get(from!)! + (operator === 'plus' ? 1 : -1) * Number(amount)
      if (to) values.set(to, result)
    }
  }
  const asked = /take (\w+)$/.exec(prompt)?.[1]
  return [String(asked ? values.get(asked) : result)]
}

const code: Solver = (prompt) => [last(matches(prompt, /code ([\d ]+) \./g), 'a code')[1]!]

const needle: Solver = (prompt) => {
  const [question] = last(
    matches(prompt, /What (?:is|are all) the special magic [^?]*\?[^?]*$/g),
    'what is asked',
  )
  const [, list] = /for ([^?]*?)(?: in the text above)?\?/.exec(question)!
  return list!.split(/, and |, | and /).flatMap((key) => {
    const found = matches(
      prompt,
      new RegExp(`One of the special magic \\w+ for ${key} is: ([\\w-]+)\\.`, 'g'),
    )
    if (found.length === 0) throw new Error(`no needle has the key ${key}`)
    return found.map((match) => match[1]!)
  })
}

const variables: Solver = (prompt) => {
  const sources = new Map(matches(prompt, /VAR (\w+) = (?:VAR )?(\w+)/g).map(([, to, from]) => [to!, from!]))
  const resolve = (name: string): string => (sources.has(name) ? resolve(sources.get(name)!) : name)
  const lengthOf = (name: string): number => (sources.has(name) ? 1 + lengthOf(sources.get(name)!) : 0)
  const asked = /The value of (\w+) is$/.exec(prompt)?.[1]
  if (asked) return [resolve(asked)]
  const [, value] = last(matches(prompt, /variables with the value (\d+) are$/g), 'which value is asked for')
  return [...sources.keys()]
    .filter((name) => resolve(name) === value)
    .sort((a, b) => lengthOf(a) - lengthOf(b))
}

function counted(words: readonly string[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts]
}

/** The words that stand out: those as frequent as the most frequent one, if no other word comes near. */
const commonWords: Solver = (prompt) => {
  const list = last(prompt.split(/Find the words/), 'a list')
  const counts = counted(matches(list, /\d+\. ([a-z]+)/g).map(([, word]) => word!))
  const most = Math.max(...counts.map(([, count]) => count))
  const asked = Number(/Which (\d+) words/.exec(list)?.[1] ?? 1)
  const found = counts.filter(([, count]) => count === most).map(([word]) => word)
  if (found.length !== asked) throw new Error(`${found.length} words are most common, ${asked} asked for`)
  return found
}

const frequentWords: Solver = (prompt) => {
  const coded = last(prompt.split('\n').slice(0, -1), 'a coded text')
  const counts = counted(coded.split(' ').filter((word) => word !== '...')).sort((a, b) => b[1] - a[1])
  const asked = Number(/Which (\d+) words/.exec(prompt)?.[1] ?? 1)
  for (let rank = 0; rank < asked; rank++) {
    if (counts[rank]![1] === counts[rank + 1]?.[1]) throw new Error(`two words have rank ${rank + 1}`)
  }
  return counts.slice(0, asked).map(([word]) => word)
}

const questionAnswering: Solver = (prompt) => {
  const [, teachers, name] = last(
    matches(prompt, /Where was ((?:the teacher of )*)(\w+) born\? Answer:$/g),
    'who is asked for',
  )
  let person = name!
  for (let i = 0; i < teachers!.split('teacher').length - 1; i++) {
    person = last(matches(prompt, new RegExp(`${person} was taught by (\\w+)\\.`, 'g')), 'the teacher')[1]!
  }
  const towns = matches(prompt, new RegExp(`${person} was born in (\\w+)\\.`, 'g'))
  if (towns.length !== 1) throw new Error(`${person} was born ${towns.length} times`)
  return [towns[0]![1]!]
}

export const solvers: { readonly [Name in TaskName]: Solver } = {
  recall,
  chain,
  code,
  needle,
  'variable-tracking': variables,
  'ruler-like-niah-single-1': needle,
  'ruler-like-niah-single-2': needle,
  'ruler-like-niah-single-3': needle,
  'ruler-like-niah-multikey-1': needle,
  'ruler-like-niah-multikey-2': needle,
  'ruler-like-niah-multikey-3': needle,
  'ruler-like-niah-multivalue': needle,
  'ruler-like-niah-multiquery': needle,
  'ruler-like-vt': variables,
  'ruler-like-cwe': commonWords,
  'ruler-like-fwe': frequentWords,
  'ruler-like-qa-1': questionAnswering,
  'ruler-like-qa-2': questionAnswering,
}
