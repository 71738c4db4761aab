import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGates, readGatesConfig, type TensorToWrite, writeGates } from '@trimkv/io'
import { seededRandom } from '@trimkv/testing'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { killWhileWriting, run, unfinishedFiles } from './command-line.ts'
import { goldenPath } from './golden.ts'

/** Large enough that writing it takes a while, small enough for a small disk. */
const elements = 750_000

let home: string
let out: string
/** Gates with other numbers, as folders, and as bytes once they are converted. */
const folders: string[] = []
const converted: Buffer[] = []

async function makeGates(folder: string, value: number): Promise<void> {
  const config = (await readGatesConfig(goldenPath('trimkv-qwen3-rg', 'gates'))).raw
  const data = new Uint8Array(new Float32Array(elements).fill(value).buffer)
  const tensors: Record<string, TensorToWrite> = { gate: { dtype: 'f32', shape: [elements], data } }
  await writeGates(folder, { config, tensors })
}

const convertTo = (from: string, to: string): string[] => [
  'convert',
  'gates',
  from,
  '--to',
  'torch',
  '--out',
  to,
  '--force',
]

const written = (): Buffer => readFileSync(join(out, 'trimkv_weights.pth'))

beforeAll(async () => {
  const shared = mkdtempSync(join(tmpdir(), 'trimkv-convert-cut-'))
  for (const value of [1, 2]) {
    const folder = join(shared, `gates-${value}`)
    await makeGates(folder, value)
    folders.push(folder)
    const whole = join(shared, `torch-${value}`)
    expect((await run(convertTo(folder, whole))).code).toBe(0)
    converted.push(readFileSync(join(whole, 'trimkv_weights.pth')))
  }
  return () => rmSync(shared, { recursive: true })
})
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'trimkv-convert-cut-'))
  out = join(home, 'out')
})
afterEach(() => {
  spawnSync('umount', [home])
  rmSync(home, { recursive: true, force: true })
})

describe('convert', () => {
  it('leaves the old file or the new one whole, wherever it is killed', async () => {
    expect((await run(convertTo(folders[0]!, out))).code).toBe(0)
    expect(written().equals(converted[0]!)).toBe(true)
    const random = seededRandom(3)
    let killed = 0
    for (let attempt = 0; attempt < 8; attempt++) {
      const source = 1 - (attempt % 2)
      const before = written()
      const isKilled = await killWhileWriting(convertTo(folders[source]!, out), {
        folder: out,
        delayMs: random.int(0, 12),
      })
      if (isKilled) killed++
      const now = written()
      expect(now.equals(converted[source]!) || now.equals(before)).toBe(true)
      // The folder is one that can be read.
      expect((await openGates(out)).tensors.size).toBe(1)
    }
    expect(killed).toBeGreaterThan(2)
    expect((await run(convertTo(folders[1]!, out))).code).toBe(0)
    expect(written().equals(converted[1]!)).toBe(true)
    expect(unfinishedFiles(out)).toEqual([])
  })

  it('says that the disk is full, and leaves the old files and nothing else', async (context) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=5m', 'tmpfs', home])
    if (mounted.status !== 0) context.skip('a small file system cannot be mounted here')
    mkdirSync(out)
    expect((await run(convertTo(folders[0]!, out))).code).toBe(0)
    const names = readdirSync(out)
    const { code, stdout, stderr } = await run(convertTo(folders[1]!, out))
    expect(code).toBeGreaterThan(0)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/trimkv_weights\.pth cannot be written[\s\S]*ENOSPC[\s\S]*free some space/)
    expect(readdirSync(out)).toEqual(names)
    expect(written().equals(converted[0]!)).toBe(true)
  })
})
