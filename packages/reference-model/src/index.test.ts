import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { referenceGatesDir, referenceModelDir, referenceTrainingDir } from './index.ts'

const bytesIn = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name)
    return sum + (entry.isDirectory() ? bytesIn(path) : statSync(path).size)
  }, 0)

describe('reference model', () => {
  it('points at the model files with absolute paths', () => {
    for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
      expect(existsSync(join(referenceModelDir, name)), name).toBe(true)
    }
    expect(isAbsolute(referenceModelDir)).toBe(true)
  })

  it('points at the gates', () => {
    for (const name of ['config.json', 'retention_gates.safetensors']) {
      expect(existsSync(join(referenceGatesDir, name)), name).toBe(true)
    }
  })

  it.each(['model', 'gates'])('tells how the %s was trained, step by step', (name) => {
    const lines = readFileSync(join(referenceTrainingDir, `${name}-metrics.jsonl`), 'utf8')
      .trim()
      .split('\n')
    const steps = lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'step')
    expect(steps.map(({ step }) => step)).toEqual(steps.map((_, i) => i + 1))
    expect(steps.at(-1).terms.loss).toBeLessThan(steps[0].terms.loss)
  })

  it('takes no more than 8 MB', () => {
    expect(bytesIn(referenceModelDir)).toBeLessThanOrEqual(8e6)
  })

  it('publishes the model folder', () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
    expect(manifest.files).toContain('model')
  })
})
