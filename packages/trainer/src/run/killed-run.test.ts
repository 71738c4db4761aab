import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createDevice } from '@trimkv/tensor'
import { seededRandom } from '@trimkv/testing'
import { build } from 'tsup'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lineFitRun } from '../../test/line-fit-run.ts'
import { runResults } from '../../test/run-results.ts'
import { train } from './train.ts'

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const addon = process.env.TRIMKV_NATIVE_PATH ?? pathOf('../../../tensor/build/trimkv.node')

let home: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'trimkv-killed-'))
  // A process of its own cannot load our sources: they are put into one file, which takes no build of the packages.
  await build({
    entry: [pathOf('../../test/line-fit-program.ts')],
    outDir: home,
    config: false,
    silent: true,
    format: 'esm',
    target: 'es2022',
    platform: 'node',
    outExtension: () => ({ js: '.mjs' }),
    noExternal: [/./],
    esbuildOptions: (options) => {
      options.conditions = ['@trimkv/source']
    },
  })
})
afterAll(() => rm(home, { recursive: true, force: true }))

/** Starts the training program and kills it some time after it has said `lines` lines (0: after its start); without, lets it end. */
function runProgram(folder: string, kill?: { lines: number; delayMs: number }): Promise<string> {
  const child = spawn(process.execPath, [join(home, 'line-fit-program.mjs'), folder], {
    env: { ...process.env, TRIMKV_NATIVE_PATH: addon },
    timeout: 30_000,
  })
  let said = ''
  let errors = ''
  child.stderr.on('data', (data) => (errors += data))
  const killLater = (): unknown => setTimeout(() => child.kill('SIGKILL'), kill?.delayMs)
  if (kill?.lines === 0) killLater()
  child.stdout.on('data', (data) => {
    const before = said.split('\n').length
    said += data
    const isTime = kill && before <= kill.lines && said.split('\n').length > kill.lines
    if (isTime) killLater()
  })
  return new Promise((resolve, reject) =>
    child.on('close', (code, signal) => {
      if (code === 0 || signal === 'SIGKILL') resolve(said)
      else reject(new Error(`the program ended with ${code ?? signal}: ${errors}`))
    }),
  )
}

describe('a run that is killed', () => {
  it('ends with the same bytes as one that is not, wherever it was killed', async () => {
    const straight = join(home, 'straight')
    using device = createDevice({ threads: 1 })
    await train(lineFitRun(device, straight))

    const folder = join(home, 'killed')
    const random = seededRandom(11)
    // Some die while they start, before or in the first checkpoint.
    for (const delayMs of [60, 90, 120]) await runProgram(folder, { lines: 0, delayMs })
    let killed = 0
    for (let attempt = 0; attempt < 6; attempt++) {
      const said = await runProgram(folder, { lines: random.int(1, 8), delayMs: random.int(0, 6) })
      if (!said.includes('checkpoint 23')) killed++
    }
    expect(killed).toBeGreaterThan(2)
    expect(await runProgram(folder)).toContain('resume')
    expect(await runResults(folder)).toEqual(await runResults(straight))
    expect((await readdir(folder)).sort()).toEqual([
      'best.safetensors',
      'checkpoint.safetensors',
      'metrics.jsonl',
    ])
  })
})
