import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, describe, expect, it } from 'vitest'
import { jiti, program, run } from './command-line.ts'
import { goldenPath } from './golden.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('help and usage', () => {
  it.each([
    'generate',
    'chat',
    'compare',
    'score',
    'trace',
    'inspect',
    'convert',
    'filters',
    'doctor',
    'config',
  ])('%s explains itself', async (name) => {
    const { code, stdout, stderr } = await run([name, '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(new RegExp(`^Usage: trimkv ${name} `))
    expect(stdout.split('\n').length).toBeGreaterThan(8)
  })

  it.each([
    [['generat'], /unknown command 'generat'[\s\S]*generate/],
    [['generate'], /model/],
    [['generate', referenceModelDir, '--budgt', '3'], /--budgt[\s\S]*--budget/],
    [['generate', referenceModelDir, '-p', 'x', '--top-k', 'many'], /--top-k cannot be "many"[\s\S]*number/],
    [['generate', referenceModelDir, '-p', 'x', '--prompt-file', 'y'], /exclude each other/],
    [['score', referenceModelDir, '-p', 'x', '--ids', '1,2,3'], /--prompt and --ids exclude each other/],
    [
      ['filters', referenceModelDir, '--prompt-file', 'x', '--ids-file', 'y', '--out', 'f'],
      /--prompt-file and --ids-file exclude/,
    ],
    [['generate', referenceModelDir, '-p', 'x', '--top-k', '5'], /topK has no effect at temperature 0/],
    [['generate', referenceModelDir, '-p', 'x', '--policy', 'snapkw'], /did you mean "snapkv"/],
    [
      ['generate', referenceModelDir, '-p', 'x', '--policy', 'streaming', '--budget', '2'],
      /smallest valid budget is 5/,
    ],
    [['generate', referenceModelDir, '-p', 'x', '--exact', '--buffer', '3'], /exclude each other/],
    [['trace', goldenPath('qwen3', 'hf'), '--ids', '5,999', '--steps', '2'], /999/],
    [['trace', goldenPath('qwen3', 'hf'), '--steps', '2'], /--ids/],
    [['trace', goldenPath('qwen3', 'hf'), '--ids', '5'], /--steps is missing/],
    [['filters', referenceModelDir, '-p', 'x'], /--out is missing/],
    [['cache', 'save', referenceModelDir, '-p', 'x'], /--output is missing/],
    [
      ['compare', referenceModelDir, '-p', 'x'],
      /--policies is missing +TRIMKV_OPTION\n {2}→ give --policies with a value\n$/,
    ],
    [
      ['convert', 'gates', '--to', 'torch', '--out', 'x'],
      /gates without a folder[\s\S]*convert gates FOLDER/,
    ],
    [['convert', referenceModelDir, '--out', 'x'], /--weights is missing/],
    [['trace', goldenPath('phi3-longrope', 'hf'), '--ids', '5', '--steps', '300', '--policy', 'full'], /256/],
  ])('ends with 2 and says why: %o', async (args, message) => {
    const { code, stdout, stderr } = await run(args)
    expect(stdout).toBe('')
    expect(stderr).toMatch(message)
    expect(stderr).toMatch(/^✖ /)
    expect(stderr).not.toMatch(/\n\s+at /)
    expect(code).toBe(2)
  })

  it('ends with the code of what went wrong, with a stack only when asked', async () => {
    const bad = join(folder, 'bad')
    mkdirSync(bad)
    writeFileSync(join(bad, 'config.json'), '{"model_type": "llama", "hidden_size": -1}')
    expect((await run(['generate', bad, '-p', 'x'])).code).toBe(3)
    const missing = await run(['generate', 'org/model', '-p', 'x'])
    expect(missing).toMatchObject({ code: 4, stderr: expect.stringMatching(/TRIMKV_NOT_FOUND\n/) })
    const mismatch = await run([
      'generate',
      goldenPath('llama', 'hf'),
      '--gates',
      referenceGatesDir,
      '-p',
      'x',
      '-v',
    ])
    expect(mismatch).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/TRIMKV_GATES_MISMATCH\n[\s\S]*\n\s+at /),
    })
    const native = await run(['generate', referenceModelDir, '-p', 'x'], {
      env: { TRIMKV_NATIVE_PATH: '/nonexistent.node' },
    })
    expect(native).toMatchObject({ code: 5, stderr: expect.stringMatching(/TRIMKV_NATIVE_MISSING/) })
  })

  // The model is missing too, and looked for later.
  it.each([
    ['cache', 'save', 'nowhere', '-p', 'x', '-o'],
    ['trace', 'nowhere', '--ids', '5', '--steps', '1', '--tensors'],
    ['chat', 'nowhere', '--session'],
    ['filters', 'nowhere', '-p', 'x', '--out'],
  ])('says before the work that its file cannot be written: %s', async (...args) => {
    const missing = join(folder, 'no-folder')
    expect(await run([...args, join(missing, 'file')])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(`There is no folder ${missing} to write to`),
    })
    expect(await run([...args, folder])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${folder} is a folder`),
    })
  })

  it.each([
    ['generate', referenceModelDir],
    ['compare', referenceModelDir, '--policies', 'full'],
    ['score', referenceModelDir],
    ['filters', referenceModelDir, '--out', join(folder, 'filters.safetensors')],
    ['cache', 'save', referenceModelDir, '-o', join(folder, 'cache.trimkv')],
  ])('ends with 130 on the first Ctrl-C while it waits for a text: %s', async (...args) => {
    const ready = `process.on('newListener', (name) => name === 'SIGINT' && process.stdout.write('ready'))`
    const child = spawn(process.execPath, ['--import', `data:text/javascript,${ready}`, program, ...args], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    child.stdout.once('data', () => child.kill('SIGINT'))
    try {
      expect(await once(child, 'close')).toEqual([130, null])
    } finally {
      child.kill('SIGKILL')
    }
  })

  it('prints its version', async () => {
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('says in one line that it is not built, or that Node is too old', async () => {
    const copy = join(folder, 'trimkv.mjs')
    cpSync(program, copy)
    const unbuilt = await run([], { script: copy })
    expect(unbuilt).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^trimkv is not built: .*npm run build.*\n$/),
    })
    const pretend = "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'18.20.0'})"
    const old = await run([], { nodeFlags: ['--import', pretend] })
    expect(old).toMatchObject({ code: 1, stderr: 'trimkv needs Node 20.19 or newer; this is 18.20.0\n' })
  })
})

describe('doctor', () => {
  it('says that models can run, and never what the token is', async () => {
    const { code, stdout } = await run(['doctor'], { env: { HF_TOKEN: 'secret-value' } })
    expect(code).toBe(0)
    expect(stdout).toMatch(/hub token +present/)
    expect(stdout).not.toMatch(/secret-value/)
    expect(stdout).toMatch(/✔ ready to run models/)
  })

  it('ends with 5 and the reason when the native core does not load', async () => {
    const { code, stdout } = await run(['doctor', '--json'], {
      env: { TRIMKV_NATIVE_PATH: '/nonexistent.node' },
    })
    expect(code).toBe(5)
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, problem: expect.stringMatching(/nonexistent/) })
  })
})

describe('examples', () => {
  const example = (name: string, ...args: string[]) =>
    run([join('packages/trimkv/examples', name), ...args], { script: jiti })

  it('stream.ts answers from a cache of nine entries', async () => {
    expect(await example('stream.ts', referenceModelDir, referenceGatesDir)).toMatchObject({
      code: 0,
      stdout: ' library .\ntrimkv: 9 entries at most, 11 evicted\n',
    })
  })

  it('compare.ts compares a policy of its own', async () => {
    const { code, stdout } = await example('compare.ts', referenceModelDir, referenceGatesDir)
    expect(code).toBe(0)
    const rows = stdout
      .trim()
      .split('\n')
      .slice(2)
      .map((line) => line.split(/ {2,}/).slice(0, 3))
    const answers = Object.fromEntries(rows.map(([policy, answer]) => [policy, answer]))
    expect(Object.keys(answers)).toEqual(['full', 'streaming', 'h2o', 'trimkv', 'long-values'])
    expect(answers).toMatchObject({ full: 'station', trimkv: 'station', streaming: '.', h2o: '.' })
  })

  it('prefix.ts reads a document once', async () => {
    const file = join(folder, 'document.trimkv')
    const reused = '(2 tokens read, 23 reused)'
    expect(await example('prefix.ts', referenceModelDir, referenceGatesDir, file)).toMatchObject({
      code: 0,
      stdout: `key: library ${reused}\nstone: kitchen ${reused}\nlamp: hall ${reused}\n`,
    })
  })

  it('session.ts watches what a head drops', async () => {
    const { code, stdout } = await example('session.ts', referenceModelDir, referenceGatesDir)
    expect(code).toBe(0)
    // The begin token, 13 words, and 8 kept: six go.
    expect(stdout.trim().split('\n')).toHaveLength(6)
    expect(stdout).toMatch(/^\w+: layer 2, head 0 drops \S+$/m)
  })
})
