import { expect, it } from 'vitest'
import { readDataSpecs } from './data-spec.ts'

it('reads tasks with numbers, words, ranges and choices', () => {
  const texts = [
    'recall:facts=2..6,noise=plain|mentioning,words=40,share=2',
    'needle:oneShot=false',
    'copy:tokens=5..9',
  ]
  expect(readDataSpecs(texts)).toEqual({
    kind: 'tasks',
    mixture: [
      {
        task: 'recall',
        words: 40,
        share: 2,
        options: { facts: { from: 2, to: 6 }, noise: { oneOf: ['plain', 'mentioning'] } },
      },
      { task: 'needle', share: 1, options: { oneShot: false } },
      { task: 'copy', share: 1, tokens: { from: 5, to: 9 } },
    ],
  })
})

it('takes what exists for a file, but a task by its name', () => {
  const file = import.meta.filename
  expect(readDataSpecs([file])).toEqual({ kind: 'files', files: [file] })
  expect(readDataSpecs(['code'])).toMatchObject({ kind: 'tasks' })
})

it.each([
  [['recall:facts'], /"facts" is no option/],
  [['recall:=3'], /"=3" is no option/],
  [['copy:facts=3'], /facts is no option of copy/],
  [['recal'], /did you mean "recall"/],
  [['data/recall'], /no file data\/recall/],
  [[], /nothing to train on/],
])('refuses %o', (texts, message) => {
  expect(() => readDataSpecs(texts)).toThrow(message)
})
