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
import { afterAll, describe, expect, it } from 'vitest'
import { run } from './command-line.ts'
import { goldenPath } from './golden.ts'
import { recallRecords as recall, small, trainGates, writeRecords } from './train-gates.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-train-'))
afterAll(() => rmSync(folder, { recursive: true }))

let made = 0
const newFolder = (): string => join(folder, `${made++}`)
const jsonl = (records: readonly object[]): string => writeRecords(join(folder, `${made++}.jsonl`), records)

describe('train gates refuses, before it writes anything,', () => {
  const chat = (role: string) => ({ messages: [{ role, content: 'find key' }] })
  const templated = join(folder, 'templated')
  cpSync(model, templated, { recursive: true })
  const settings = join(templated, 'tokenizer_config.json')
  const chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
  writeFileSync(settings, JSON.stringify({ ...JSON.parse(readFileSync(settings, 'utf8')), chat_template }))
  const foreign = join(folder, 'foreign')
  mkdirSync(foreign)
  writeFileSync(join(foreign, 'notes.txt'), 'not a run')

  it.each([
    ['nothing to train on', model, [], 2, /nothing to train on/],
    [
      'an unknown task',
      model,
      ['--data', 'recal:facts=2'],
      2,
      /no file and no task[\s\S]*did you mean "recall"/,
    ],
    ['an unknown option of a task', model, ['--data', 'recall:fact=2'], 2, /fact is no option of recall/],
    ['a wrong value of an option', model, ['--data', 'recall:facts=x', '--length', '64'], 2, /facts/],
    [
      'texts that do not fit a row',
      model,
      ['--data', 'recall:facts=90', '--length', '64'],
      2,
      /recall cannot be made/,
    ],
    ['a missing file', model, ['--data', 'not/there.jsonl'], 4, /no file not\/there\.jsonl/],
    [
      'files and tasks together',
      model,
      ['--data', jsonl([{ text: 'x' }]), '--data', 'code'],
      2,
      /cannot mix/,
    ],
    [
      'records without a known field',
      model,
      ['--data', jsonl([{ words: 'x' }])],
      4,
      /jsonl:1 [\s\S]*got words/,
    ],
    ['chats without a template', model, ['--data', jsonl([chat('user')])], 4, /jsonl:1 /],
    ['chats without an answer', templated, ['--data', jsonl([chat('user')])], 4, /assistant message/],
    [
      'answers without a token',
      model,
      ['--data', jsonl([{ prompt: 'find', completion: '' }])],
      2,
      /no token to learn/,
    ],
    [
      'nothing held out',
      model,
      ['--data', jsonl(recall(30, 1)), '--validate-every', '1'],
      2,
      /no line is in the part/,
    ],
    [
      'how to validate, but not when',
      model,
      ['--data', 'code', '--validation-batches', '3'],
      2,
      /--validate-every/,
    ],
    ['a share of generated texts', model, ['--data', 'code', '--validation-share', '0.1'], 2, /about files/],
    ['rows the model cannot read', model, ['--data', 'code', '--length', '2000000'], 2, /--length cannot be/],
    ['a budget of bytes', model, ['--data', 'code', '--budget', '1MiB'], 2, /--budget cannot be "1MiB"/],
    ['data beside built-in data', model, ['--data', 'code', '--recipe', 'reference'], 2, /data of its own/],
    ['a model without a tokenizer', goldenPath('qwen3', 'hf'), ['--data', 'code'], 4, /tokenizer/],
  ])('%s', async (_what, from, args, exit, message) => {
    const out = newFolder()
    const { code, stdout, stderr } = await run(['train', 'gates', from, '--out', out, ...small, ...args])
    expect(stderr).toMatch(message)
    expect({ code, stdout }).toEqual({ code: exit, stdout: '' })
    expect(existsSync(out)).toBe(false)
  })

  it.each([
    ['a folder that holds a model', templated, ['--steps', '1'], /config\.json that is of no training/],
    ['to discard what is no run', foreign, ['--restart', '--steps', '1'], /holds no training run to discard/],
  ])('%s', async (_what, out, args, message) => {
    const into = out === foreign ? newFolder() : out
    if (out === foreign) cpSync(foreign, join(into, 'run'), { recursive: true })
    const before = readdirSync(into, { recursive: true })
    const { code, stderr } = await trainGates(into, ['--data', 'recall:facts=1', '--length', '48', ...args])
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(message) })
    expect(readdirSync(into, { recursive: true })).toEqual(before)
  })
})
