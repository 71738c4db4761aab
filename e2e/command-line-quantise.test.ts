import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, describe, expect, it } from 'vitest'
import { run } from './command-line.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-quantise-'))
afterAll(() => rmSync(folder, { recursive: true }))

const out = join(folder, 'q8')

describe('convert MODEL --weights', () => {
  it('writes a model that inspect names and generate runs', async () => {
    const made = await run(['convert', referenceModelDir, '--weights', 'q8', '--out', out])
    expect(made.code).toBe(0)
    expect(made.stdout).toMatch(/29 matrices in q8, \S+ MiB → \S+ (K|M)iB\n$/)
    const facts = JSON.parse((await run(['inspect', out, '--json'])).stdout)
    expect(facts).toMatchObject({ kind: 'model', dtypes: ['q8', 'F32'], tokenizer: expect.any(Number) })
    const prompt = 'put key barn . ana sings alone . find key'
    const answer = await run([
      'generate',
      out,
      '--gates',
      referenceGatesDir,
      '--prompt',
      prompt,
      '--max-new',
      '1',
    ])
    expect(answer.code).toBe(0)
    expect(answer.stdout.trim()).toBe('barn')
  })

  it('replaces nothing without --force, and takes no nonsense', async () => {
    const again = await run(['convert', referenceModelDir, '--weights', 'q4', '--out', out])
    expect(again.code).not.toBe(0)
    expect(again.stderr).toMatch(/exists[\s\S]*--force/)
    expect((await run(['convert', out, '--weights', 'q4', '--out', join(folder, 'x')])).stderr).toMatch(
      /quantised already/,
    )
    expect((await run(['convert', referenceModelDir, '--weights', 'q5', '--out', out])).code).not.toBe(0)
    expect((await run(['convert', referenceModelDir, '--out', join(folder, 'x')])).stderr).toMatch(
      /--weights/,
    )
    expect((await run(['convert', 'model', referenceModelDir, '--out', join(folder, 'x')])).stderr).toMatch(
      /no way to convert/,
    )
    const forced = await run([
      'convert',
      referenceModelDir,
      '--weights',
      'q4',
      '--out',
      out,
      '--force',
      '--json',
    ])
    expect(JSON.parse(forced.stdout)).toMatchObject({ weights: 'q4', quantised: 29, kept: [] })
    expect(readdirSync(folder)).toEqual(['q8'])
  })
})
