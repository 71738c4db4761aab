// @ts-check
import { describe, expect, it } from 'vitest'
import { sampleWorkspace } from './sample-workspace.mjs'
import { checkWords } from './words.mjs'

// Put together here, so that this file itself passes.
const slash = '/'
const dot = '.'

describe('checkWords', () => {
  it('accepts ordinary text, relative paths and addresses of documents', () => {
    const text = 'See docs/work/plan.md, ./home/page and https://example.org/home/page.\n'
    expect(checkWords(sampleWorkspace({ 'README.md': text }))).toEqual([])
  })

  it.each([
    [`cd ${slash}home/someone/project`, 'an absolute path of one machine'],
    [`"${slash}tmp/model.bin"`, 'an absolute path of one machine'],
    [`registry${dot}example.org`, 'the address of a package registry'],
    [`// TO${'DO'} later`, 'an unfinished mark'],
    [`it${dot}only('a', () => {})`, 'a focused or empty test'],
  ])('reports %s', (line, what) => {
    expect(checkWords(sampleWorkspace({ 'docs/notes.md': `first\n${line}\n` }))).toEqual([
      `docs/notes.md:2 has ${what}`,
    ])
  })
})
