import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadTokenizer } from '@trimkv/io'
import { tasks } from '@trimkv/tasks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { wordTokenizer } from './word-tokenizer.ts'

const sample = tasks.recall({ setting: 'interleaved' }).sample(1)
const words = [...new Set(sample.words)]

describe('wordTokenizer', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trimkv-tokenizer-'))
    for (const [name, content] of Object.entries(wordTokenizer(words))) {
      await writeFile(join(folder, name), JSON.stringify(content))
    }
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('gives every word one token, and a begin token before all', async () => {
    const tokenizer = await loadTokenizer(folder)
    expect(tokenizer.encode(sample.text)).toHaveLength(sample.words.length + 1)
  })

  it('gives any other text back', async () => {
    const tokenizer = await loadTokenizer(folder)
    const text = 'Zürich, 日本 — put it there!'
    expect(tokenizer.decode(tokenizer.encode(text, { addSpecialTokens: false })).trim()).toBe(text)
  })

  it('does not depend on the order of the words', () => {
    expect(wordTokenizer([...words].reverse())).toEqual(wordTokenizer(words))
  })
})
