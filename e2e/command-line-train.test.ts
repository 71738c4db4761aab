import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { referenceModelDir as model } from '@trimkv/reference-model'
import { createRandom } from '@trimkv/tasks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jiti, run } from './command-line.ts'
import { goldenPath } from './golden.ts'
import { recallRecords as recall, small, trainGates, writeRecords } from './train-gates.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-train-'))
afterAll(() => rmSync(folder, { recursive: true }))

let made = 0
const newFolder = (): string => join(folder, `${made++}`)
const jsonl = (records: readonly object[]): string => writeRecords(join(folder, `${made++}.jsonl`), records)

const bytesOf = (out: string): Record<string, Buffer> =>
  Object.fromEntries(
    ['retention_gates.safetensors', 'config.json', 'run/checkpoint.safetensors', 'run/best.safetensors']
      .filter((name) => existsSync(join(out, name)))
      .map((name) => [name, readFileSync(join(out, name))]),
  )

/** The lines of a run's metrics, without what a clock told. */
const metricsOf = (out: string): object[] =>
  readFileSync(join(out, 'run/metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const { seconds: _seconds, tokensPerSecond: _speed, ...told } = JSON.parse(line)
      return told
    })

it.each(['gates', 'lm'])('train %s explains itself', async (name) => {
  const { code, stdout, stderr } = await run(['train', name, '--help'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(new RegExp(`^Usage: trimkv train ${name} `))
  expect(stdout).toMatch(/--restart/)
})

describe('train gates', () => {
  it('writes gates that generate takes, and their use', async () => {
    const out = newFolder()
    const { code, stdout, stderr } = await run(
      ['train', 'gates', model, '--out', out, ...small].concat(
        ['--data', 'recall:facts=2', '--data', 'copy:tokens=5..9', '--length', '64', '--rows', '2'],
        ['--steps', '6', '--budget', '16', '--kind', 'rg3', '--bias', '3'],
      ),
    )
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(stdout).toMatch(/config\.json {2}\d+ B\n.*retention_gates\.safetensors {2}[\d.]+ KiB\n$/)
    expect(stderr).toMatch(/step 6\/6 · loss .* tokens held of 16 · .*tokens\/s/)
    expect(stderr).toMatch(new RegExp(`→ trimkv generate ${model} --gates ${out} --policy trimkv`))
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({
      retention_gate: 'rg3',
      retention_gate_intermediate_size: 8,
      retention_gate_bias_init: 3,
      memory_size: 16,
      base_loss: 'fwkl_ntp',
      max_seq_len: 64,
    })

    const prompt = ['-p', 'put key barn . ana sings alone . put hat mill . ben visits hall . find key']
    const bounded = ['--policy', 'trimkv', '--budget', '8', '--exact', '--max-new', '2', '--json']
    const answer = await run(['generate', model, '--gates', out, ...prompt, ...bounded])
    expect(answer.code).toBe(0)
    expect(JSON.parse(answer.stdout).usage).toMatchObject({ policy: 'trimkv', meter: { peakEntries: 9 } })

    const other = await run(['generate', goldenPath('llama', 'hf'), '--gates', out, ...prompt])
    expect(other).toMatchObject({ code: 4, stderr: expect.stringContaining('TRIMKV_GATES_MISMATCH') })
  })

  it('reads files, holds records out, and writes the gates of the best validation', async () => {
    const out = newFolder()
    const args = [
      '--data',
      jsonl(recall(40, 24)),
      '--length',
      '64',
      '--rows',
      '2',
      '--steps',
      '6',
      '--lr',
      '0.5',
    ]
    const validation = ['--validate-every', '2', '--validation-share', '0.3', '--validation-batches', '2']
    const { code, events } = await trainGates(out, [...args, ...validation, '--bias', '4', '--kl', 'none'])
    expect(code).toBe(0)
    const validations = events.filter(({ kind }) => kind === 'validation')
    expect(validations.map(({ step }) => step)).toEqual([0, 2, 4, 6])
    const best = validations.reduce((a, b) => (b.terms.loss! < a.terms.loss! ? b : a))
    expect(events.at(-1)).toMatchObject({ kind: 'done', step: 6, best: { step: best.step } })
    expect(readdirSync(join(out, 'run')).sort()).toEqual([
      'best.safetensors',
      'checkpoint.safetensors',
      'metrics.jsonl',
    ])
  })

  it('reads every record once where the recipe says so', async () => {
    // 9 of at least 513 characters in rows of their own, two a batch, two batches a step.
    const file = jsonl([...recall(180, 9), ...recall(20, 3)])
    const args = ['--recipe', 'math', '--data', file, '--length', '128', '--rows', '2', '--accumulation', '2']
    const { code, events } = await trainGates(newFolder(), args)
    expect(code).toBe(0)
    expect(events.at(-1)).toMatchObject({ kind: 'done', step: 3 })
    const endless = await trainGates(newFolder(), ['--recipe', 'paper', '--data', 'recall'])
    expect(endless).toMatchObject({ code: 2, stderr: expect.stringMatching(/never end[\s\S]*--steps/) })
  })

  it('costs nothing to keep a budget that no row reaches', async () => {
    const args = ['--data', 'recall:facts=1', '--length', '48', '--steps', '2', '--budget', '512']
    const { code, events } = await trainGates(newFolder(), args)
    expect(code).toBe(0)
    const steps = events.filter(({ kind }) => kind === 'step')
    expect(steps.map(({ terms }) => terms.capacity)).toEqual([0, 0])
  })

  it('leaves out what flags turn off', async () => {
    const args = ['--data', 'recall:facts=1', '--length', '48', '--steps', '1']
    const { events } = await trainGates(newFolder(), [...args, '--no-ntp', '--capacity-weight', '0'])
    const { terms } = events.find(({ kind }) => kind === 'step')!
    expect(Object.keys(terms)).not.toContain('capacity')
    expect(terms.loss).toBe(terms.kl)
    const nothing = await trainGates(newFolder(), [
      ...args,
      '--no-ntp',
      '--capacity-weight',
      '0',
      '--kl',
      'none',
    ])
    expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining('the loss has no terms') })
  })
})

it('train gates has texts and a validation for --recipe reference', async () => {
  const out = newFolder()
  const { code, events } = await trainGates(out, ['--recipe', 'reference', '--steps', '1'])
  expect(code).toBe(0)
  expect(events.map(({ kind }) => kind).filter((kind) => kind !== 'checkpoint')).toEqual([
    'validation',
    'step',
    'validation',
    'done',
  ])
  const { terms } = events.find(({ kind }) => kind === 'validation')!
  expect(terms).toMatchObject({ accuracy: expect.any(Number), occupancy: expect.any(Number) })
}, 180_000)

describe('settings of train gates', () => {
  it('come from variables and the configuration file as well', async () => {
    const cwd = newFolder()
    mkdirSync(cwd)
    const file = {
      'train gates': { steps: 2, data: ['recall:facts=1'], length: 48, bias: 9 },
      trace: { steps: 5 },
    }
    writeFileSync(join(cwd, 'trimkv.config.json'), JSON.stringify(file))
    const env = { TRIMKV_NTP: '0', TRIMKV_BIAS: '7', TRIMKV_OUT: 'gates' }
    const { code, stdout } = await run(['train', 'gates', model, ...small, '--json'], { cwd, env })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ step: 2 })
    expect(JSON.parse(readFileSync(join(cwd, 'gates/config.json'), 'utf8'))).toMatchObject({
      base_loss: 'fwkl',
      retention_gate_bias_init: 7,
    })
    // What deletes is asked for each time.
    const again = await run(['train', 'gates', model, ...small], {
      cwd,
      env: { ...env, TRIMKV_RESTART: '1' },
    })
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('going on after step 2') })
  })
})

describe('a training that was stopped', () => {
  const data = ['--data', jsonl(recall(40, 16)), '--length', '64', '--rows', '2', '--budget', '16']
  const args = [...data, '--steps', '36', '--checkpoint-every', '3', '--validate-every', '8'].concat([
    '--validation-share',
    '0.3',
    '--validation-batches',
    '1',
  ])
  const whole = newFolder()
  beforeAll(async () => {
    expect(await trainGates(whole, args)).toMatchObject({ code: 0 })
  })

  it('ends with the same bytes when it was killed at any moment', async () => {
    const out = newFolder()
    const random = createRandom('kills')
    let kills = 0
    for (let start = 0; start < 6; start++) {
      const events = random.int(6)
      let seen = 0
      const { code, stderr } = await trainGates(out, args, {
        onOutput: (child, text) => {
          seen += text.split('\n').length - 1
          if (seen > events) setTimeout(() => child.kill('SIGKILL'), random.int(20))
        },
      })
      expect(code === undefined || code === 0, stderr).toBe(true)
      if (code === undefined) kills++
    }
    const { code, stderr } = await trainGates(out, args)
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('going on after step'),
    })
    expect(kills).toBeGreaterThanOrEqual(3)
    expect(metricsOf(out)).toEqual(metricsOf(whole))
    expect(bytesOf(out)).toEqual(bytesOf(whole))
  }, 120_000)

  it('says at Ctrl-C how to go on, and does', async () => {
    const out = newFolder()
    let sent = false
    const stopped = await trainGates(out, args, {
      onOutput: (child, text) => {
        if (sent || !text.includes('"step":5,')) return
        sent = true
        child.kill('SIGINT')
      },
    })
    expect(stopped.code).toBe(130)
    const [, step] =
      /stopped after step (\d+); the same command goes on from there/.exec(stopped.stderr) ?? []
    expect(Number(step)).toBeGreaterThanOrEqual(5)
    const { code, stderr } = await trainGates(out, args)
    expect(code).toBe(0)
    expect(stderr).toContain(`going on after step ${step}\n`)
    expect(bytesOf(out)).toEqual(bytesOf(whole))
    expect(metricsOf(out)).toEqual(metricsOf(whole))
  })

  it('is not mixed with another one, and is discarded only when asked', async () => {
    const out = newFolder()
    const short = [...data, '--steps', '2']
    expect(await trainGates(out, short)).toMatchObject({ code: 0 })
    const before = bytesOf(out)
    const other = await trainGates(out, [...data, '--steps', '3', '--lr', '0.001'])
    expect(other.code).toBe(2)
    expect(other.stderr).toMatch(
      /options\.steps: 2 there, 3 now\n.*peak: 0\.0002 there, 0\.001 now[\s\S]*--restart/,
    )
    const renamed = join(folder, 'other-model')
    cpSync(model, renamed, { recursive: true })
    const elsewhere = await run(['train', 'gates', renamed, '--out', out, ...small, ...short])
    expect(elsewhere).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('recipe.model: "model" there'),
    })
    expect(bytesOf(out)).toEqual(before)

    const anew = await trainGates(out, [...data, '--steps', '3', '--restart'])
    expect(anew).toMatchObject({ code: 0, stderr: expect.stringContaining('is discarded') })
    expect(anew.events.map(({ kind }) => kind)).not.toContain('resume')
    expect(metricsOf(out)).toHaveLength(3)
  })
})

describe('train lm', () => {
  it('makes a model with its tokenizer, and gates that learnt with it', async () => {
    const out = newFolder()
    const trained = await run(['train', 'lm', '--out', out, '--steps', '2', '--joint-gates', '--json'])
    expect(trained).toMatchObject({ code: 0 })
    const { step, files } = JSON.parse(trained.stdout)
    expect(step).toBe(2)
    expect(files.map(({ path }: { path: string }) => path.slice(out.length + 1))).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
      'gates/config.json',
      'gates/retention_gates.safetensors',
    ])
    const prompt = ['-p', 'put key barn . find key', '--budget', '4', '--exact', '--max-new', '1']
    expect(await run(['generate', out, '--gates', join(out, 'gates'), ...prompt])).toMatchObject({ code: 0 })
  }, 180_000)
})

describe('examples', () => {
  it('train-gates.ts trains gates from TypeScript', async () => {
    const out = newFolder()
    const example = 'packages/trimkv/examples/train-gates.ts'
    const { code, stdout } = await run([example, model, out], { script: jiti })
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^step 10: heads hold [\d.]+ tokens\nstep 20: heads hold [\d.]+ tokens\n.* is as of step 20\n$/,
    )
    expect(readdirSync(out).sort()).toEqual(['config.json', 'retention_gates.safetensors', 'run'])
  })
})
