import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGates, readTensorBytes } from '@trimkv/io'
import { referenceGatesDir as gates, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, describe, expect, it } from 'vitest'
import { run } from './command-line.ts'
import { goldenPath } from './golden.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-convert-'))
afterAll(() => rmSync(folder, { recursive: true }))

const convert = (from: string, [to, out]: readonly [string, string], more: readonly string[] = []) =>
  run(['convert', 'gates', from, '--to', to, '--out', join(folder, out), ...more])

async function bitsOf(dir: string): Promise<Record<string, unknown>> {
  const { config, tensors } = await openGates(dir)
  const bits: Record<string, unknown> = { config: config.raw }
  for (const entry of tensors.values()) {
    bits[entry.name] = [
      entry.dtype,
      entry.shape,
      Buffer.from(await readTensorBytes(entry)).toString('base64'),
    ]
  }
  return bits
}

describe('convert', () => {
  it('writes gates with safetensors, and back as they were published', async () => {
    const release = goldenPath('trimkv-qwen3-rg', 'gates')
    const there = await convert(release, ['safetensors', 'a'])
    expect(there.code).toBe(0)
    expect(there.stdout).toMatch(
      /^\S+retention_gates\.safetensors {2}\d\S* KiB\n\S+config\.json {2}\d\S* K?i?B\n$/,
    )
    expect(readdirSync(join(folder, 'a')).sort()).toEqual(['config.json', 'retention_gates.safetensors'])
    const back = await convert(join(folder, 'a'), ['torch', 'b'], ['--json'])
    expect(back.code).toBe(0)
    const { tensors, files } = JSON.parse(back.stdout)
    expect(tensors).toBe(12)
    expect(files.map(({ path }: { path: string }) => path)).toEqual(
      ['trimkv_weights.pth', 'config.json'].map((name) => join(folder, 'b', name)),
    )
    expect(files[0].bytes).toBe(readFileSync(join(release, 'trimkv_weights.pth')).length)
    const original = await bitsOf(release)
    expect(await bitsOf(join(folder, 'a'))).toEqual(original)
    expect(await bitsOf(join(folder, 'b'))).toEqual(original)
  })

  it('gives gates that a model takes', async () => {
    await convert(gates, ['torch', 'used'])
    const score = [
      'score',
      referenceModelDir,
      '-p',
      'put key barn . find key barn .',
      '--budget',
      '4',
      '--exact',
      '--json',
    ]
    const [own, converted] = await Promise.all(
      [gates, join(folder, 'used')].map((dir) => run([...score, '--gates', dir])),
    )
    expect(converted?.code).toBe(0)
    expect(JSON.parse(converted!.stdout).perplexity).toBe(JSON.parse(own!.stdout).perplexity)
  })

  it('replaces files only when told to', async () => {
    await convert(gates, ['torch', 'twice'])
    const before = readFileSync(join(folder, 'twice/trimkv_weights.pth'))
    const refused = await convert(gates, ['torch', 'twice'])
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toMatch(/trimkv_weights\.pth exists[\s\S]*--force/)
    expect((await convert(gates, ['torch', 'twice'], ['--force'])).code).toBe(0)
    expect(readFileSync(join(folder, 'twice/trimkv_weights.pth')).equals(before)).toBe(true)
  })

  it.each([
    [['convert', 'gates', gates, '--to', 'numpy', '--out', 'x'], 2, /numpy[\s\S]*torch, safetensors/],
    [['convert', 'gates', gates, '--out', 'x'], 2, /--to/],
    [['convert', 'gates', gates, '--to', 'torch'], 2, /--out/],
    [['convert', 'model', gates, '--to', 'torch', '--out', 'x'], 2, /gates/],
    [['convert', 'gates', referenceModelDir, '--to', 'torch', '--out', 'x'], 3, /retention_gate/],
    [['convert', 'gates', '/nonexistent', '--to', 'torch', '--out', 'x'], 4, /does not exist/],
  ])('says what is wrong: %o', async (args, code, message) => {
    const finished = await run(args, { cwd: folder })
    expect(finished).toMatchObject({ code, stdout: '' })
    expect(finished.stderr).toMatch(message)
    expect(readdirSync(folder)).not.toContain('x')
  })
})
