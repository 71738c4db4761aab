import { expect, it } from 'vitest'
import type { Reading } from './read-text.ts'
import { readingPicture } from './reading-picture.ts'

const text = {
  words: ['put', 'a<b', 'barn', '.', 'find', 'a<b', 'barn', '.'],
  firstQuestion: 4,
  answers: [6],
  facts: [1, 2],
}
const reading: Reading = {
  policy: 'trimkv',
  answers: [{ thing: 'a<b', said: 'barn', right: 'barn' }],
  head: { layer: 1, head: 0 },
  kept: [false, true, true, false],
  meter: {} as Reading['meter'],
  tokensPerSecond: 1,
}

it('marks the kept words and escapes what XML cannot hold', () => {
  const svg = readingPicture([reading], text)
  expect(svg).toContain('trimkv: 1 of 1 answers right')
  expect(svg).toContain('put <tspan class="k">a&lt;b</tspan> <tspan class="k">barn</tspan> .')
  expect(svg).not.toContain('find')
})
