import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { referenceGatesDir, referenceModelDir, referenceTestFile } from './index.ts'

describe('reference model', () => {
  it('points at the model files with absolute paths', () => {
    for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
      expect(existsSync(join(referenceModelDir, name)), name).toBe(true)
    }
    expect(isAbsolute(referenceModelDir)).toBe(true)
  })

  it('points at the gates in the published layout', () => {
    expect(existsSync(join(referenceGatesDir, 'config.json'))).toBe(true)
    expect(existsSync(join(referenceGatesDir, 'trimkv_weights.pth'))).toBe(true)
  })

  it('ships 48 test texts of each task, with answers inside the text', () => {
    const rows = readFileSync(referenceTestFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    for (const task of ['recall', 'chain', 'code']) {
      expect(
        rows.filter((row) => row.task === task),
        task,
      ).toHaveLength(48)
    }
    for (const { ids, answers } of rows) expect(Math.max(...answers)).toBeLessThan(ids.length)
  })

  it('publishes the model folder', () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
    expect(manifest.files).toContain('model')
  })
})
