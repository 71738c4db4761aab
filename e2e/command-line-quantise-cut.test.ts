import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openModelFolder, parseModelConfig, type TensorToWrite, writeModel } from '@trimkv/io'
import { mapWeights, specOf } from '@trimkv/models'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { killWhileWriting, run, unfinishedFiles } from './command-line.ts'

/** 5 million weights: long enough to be interrupted, 6 MB in q8. */
const config = {
  model_type: 'qwen3',
  vocab_size: 2048,
  hidden_size: 256,
  intermediate_size: 1024,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 64,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  max_position_embeddings: 512,
  tie_word_embeddings: false,
}

/** A file that only one of the models has, and that would be read with the other. */
const ownFiles: Readonly<Record<number, Record<string, string>>> = {
  10_000: { 'chat_template.jinja': '{{ messages[0].content }}' },
  20_000: { 'generation_config.json': '{"eos_token_id": [7]}' },
}

/** A model with files beside its weights; all tell models apart, and so do the weights. */
async function makeModel(folder: string, theta: number): Promise<void> {
  const raw = { ...config, rope_theta: theta }
  const tensors: Record<string, TensorToWrite> = {}
  mapWeights(specOf(parseModelConfig(raw, 'config.json')).stored, ({ name, shape }) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1))
    for (let i = 0; i < data.length; i++) data[i] = Math.imul(i + theta, 2_654_435_761) / 2 ** 33
    tensors[name] = { dtype: 'f32', shape, data }
  })
  await writeModel(folder, { config: raw, tensors, files: { 'notes.txt': `${theta}`, ...ownFiles[theta] } })
}

/** What a folder holds that is not unfinished. */
function contentOf(folder: string): Record<string, string> {
  const names = readdirSync(folder).filter((name) => !unfinishedFiles(folder).includes(name))
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  )
}

interface Conversion {
  readonly model: string
  readonly weights: 'q8' | 'q4'
  /** What it writes. */
  readonly content: Record<string, string>
}

let shared: string
let home: string
let out: string
/** The first two are of one model: only the weights differ. */
const conversions: Conversion[] = []

const convertTo = ({ model, weights }: Omit<Conversion, 'content'>, to: string): string[] => [
  'convert',
  model,
  '--weights',
  weights,
  '--out',
  to,
  '--force',
]

beforeAll(async () => {
  shared = mkdtempSync(join(tmpdir(), 'trimkv-quantise-cut-'))
  for (const theta of [10_000, 20_000]) await makeModel(join(shared, `${theta}`), theta)
  for (const [theta, weights] of [
    [10_000, 'q8'],
    [10_000, 'q4'],
    [20_000, 'q8'],
  ] as const) {
    const conversion = { model: join(shared, `${theta}`), weights }
    const whole = join(shared, `${theta}-${weights}`)
    expect((await run(convertTo(conversion, whole))).code).toBe(0)
    conversions.push({ ...conversion, content: contentOf(whole) })
  }
  return () => rmSync(shared, { recursive: true })
})
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'trimkv-quantise-cut-'))
  out = join(home, 'out')
})
afterEach(() => {
  spawnSync('umount', [home])
  rmSync(home, { recursive: true, force: true })
})

/** How long a conversion writes, from the first unfinished file on. */
async function writingTime(conversion: Conversion): Promise<number> {
  let began = 0
  const watch = setInterval(() => {
    if (began === 0 && unfinishedFiles(out).length > 0) began = performance.now()
  }, 1)
  expect((await run(convertTo(conversion, out))).code).toBe(0)
  clearInterval(watch)
  expect(began).toBeGreaterThan(0)
  return performance.now() - began
}

const killAt = (conversion: Conversion, delayMs: number): Promise<boolean> =>
  killWhileWriting(convertTo(conversion, out), { folder: out, delayMs })

const pageBytes = 4096

/** Leaves this many bytes free on a file system. */
function fillUp(folder: string, free: number): void {
  const { bavail, bsize } = statfsSync(folder)
  writeFileSync(join(folder, 'filler'), Buffer.alloc(bavail * bsize - free))
}

/** The first run may have been a slow one: after one that came to its end, kills come earlier. */
const shorter = 0.6

const shares = [0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95]

describe('convert MODEL --weights', () => {
  it('leaves the old weights or the new ones whole, wherever it is killed', async () => {
    let duration = await writingTime(conversions[0]!)
    let killed = 0
    let left = 0
    for (const [attempt, share] of shares.entries()) {
      const before = contentOf(out)
      const conversion = conversions[(attempt + 1) % 2]!
      if (await killAt(conversion, share * duration)) killed++
      else duration *= shorter
      left += unfinishedFiles(out).length
      expect([before, conversion.content]).toContainEqual(contentOf(out))
    }
    expect(killed).toBeGreaterThan(2)
    expect(left).toBeGreaterThan(0)
    expect((await run(['inspect', out, '--json'])).code).toBe(0)
    expect((await run(convertTo(conversions[1]!, out))).code).toBe(0)
    expect(contentOf(out)).toEqual(conversions[1]!.content)
    // Those of the last killed run were there until now.
    expect(unfinishedFiles(out)).toEqual([])
  })

  it('leaves one model whole, or none that is taken for one, where it replaces another', async () => {
    let duration = await writingTime(conversions[0]!)
    let killed = 0
    let left = 0
    for (const [attempt, share] of shares.entries()) {
      const before = contentOf(out)
      const conversion = conversions[attempt % 2 === 0 ? 2 : 0]!
      if (await killAt(conversion, share * duration)) killed++
      else duration *= shorter
      left += unfinishedFiles(out).length
      const now = contentOf(out)
      // Between taking away one configuration and putting the next in its place.
      if (now['config.json'] === undefined) {
        await expect(openModelFolder(out)).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
        continue
      }
      expect([before, conversion.content]).toContainEqual(now)
    }
    expect(killed).toBeGreaterThan(2)
    expect(left).toBeGreaterThan(0)
    expect((await run(convertTo(conversions[2]!, out))).code).toBe(0)
    expect(contentOf(out)).toEqual(conversions[2]!.content)
    expect(contentOf(out)).not.toHaveProperty(['chat_template.jinja'])
    // Those of the last killed run were there until now.
    expect(unfinishedFiles(out)).toEqual([])
  })

  it.for([
    ['before it writes', -pageBytes, /has no room for the weights[\s\S]*free some space/],
    // Room for the weights, and none for what stands before them in their file.
    ['while it writes', 0, /cannot be written[\s\S]*ENOSPC[\s\S]*free some space/],
  ] as const)(
    'says that the disk is full %s, and leaves the old folder as it was',
    async ([, spare, message], context) => {
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', home])
      if (mounted.status !== 0) context.skip('a small file system cannot be mounted here')
      expect((await run(convertTo(conversions[0]!, out))).code).toBe(0)
      const [, , other] = conversions
      const { bytesAfter } = JSON.parse(
        (await run([...convertTo(other!, join(shared, 'again')), '--json'])).stdout,
      )
      fillUp(home, pageBytes * Math.ceil(bytesAfter / pageBytes) + spare)
      const { code, stdout, stderr } = await run(convertTo(other!, out))
      expect(stderr).toMatch(message)
      expect(code).toBeGreaterThan(0)
      expect(stdout).toBe('')
      expect(contentOf(out)).toEqual(conversions[0]!.content)
      expect(unfinishedFiles(out)).toEqual([])
    },
  )

  it('says that the disk is full where not even a folder can be made', async (context) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,nr_inodes=1', 'tmpfs', home])
    if (mounted.status !== 0) context.skip('a small file system cannot be mounted here')
    const { code, stderr } = await run(convertTo(conversions[0]!, out))
    expect(stderr).toMatch(/out cannot be made[\s\S]*ENOSPC[\s\S]*free some space/)
    expect(code).toBe(1)
  })
})
