import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MetricsLog, type ValidationMetrics } from './metrics-log.ts'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trimkv-metrics-'))
  file = join(folder, 'metrics.jsonl')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const entry = (step: number): ValidationMetrics => ({
  kind: 'validation',
  step,
  terms: { loss: step / 2 },
  best: false,
  seconds: 1,
})
const line = (step: number): string => `${JSON.stringify(entry(step))}\n`

describe('MetricsLog', () => {
  it('goes on behind the last line to keep', async () => {
    await writeFile(file, line(1) + line(2) + line(3))
    await using log = await MetricsLog.open(file, ({ step }) => step <= 2)
    expect(log.entries).toEqual([entry(1), entry(2)])
    await log.append(entry(7))
    expect(await readFile(file, 'utf8')).toBe(line(1) + line(2) + line(7))
  })

  it('drops a line that was cut off, also in the middle of a character', async () => {
    for (const torn of [line(2).slice(0, -1), line(2).slice(0, 9), 'garbage\n', Buffer.from([0xe2, 0x82])]) {
      await writeFile(file, Buffer.concat([Buffer.from(line(1)), Buffer.from(torn)]))
      await using log = await MetricsLog.open(file, () => true)
      await log.append(entry(2))
      expect(await readFile(file, 'utf8')).toBe(line(1) + line(2))
    }
  })

  it('names the file that it cannot open', async () => {
    const open = MetricsLog.open(join(folder, 'none', 'metrics.jsonl'), () => true)
    await expect(open).rejects.toMatchObject({ code: 'TRIMKV_IO', message: expect.stringContaining('none') })
  })
})
