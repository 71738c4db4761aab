import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { referenceModelDir as model } from '@trimkv/reference-model'
import { afterAll, describe, expect, it } from 'vitest'
import { type Finished, program, run } from './command-line.ts'
import { small } from './train-gates.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-output-'))
afterAll(() => rmSync(folder, { recursive: true }))
const inFolder = (name: string): string => join(folder, name)

const train = (name: string, steps: number): string[] =>
  ['train', 'gates', model, '--out', inFolder(name), ...small].concat(
    ['--data', 'recall:facts=1', '--length', '48', '--rows', '1'],
    ['--steps', `${steps}`],
  )

/** Runs until a text has come, then reads no more. */
function readUntil(pattern: RegExp, args: readonly string[], input?: string): Promise<Finished> {
  let read = ''
  return run(args, {
    ...(input !== undefined && { input }),
    onOutput: (child, text) => {
      read += text
      if (pattern.test(read)) child.stdout?.destroy()
    },
  })
}

describe('a reader that goes away', () => {
  it('ends a training as Ctrl-C does, and the same command goes on', async () => {
    const args = [...train('cut', 1_000_000), '--jsonl']
    const cut = await readUntil(/"step":3,/, args)
    expect(cut.stderr).toMatch(/stopped after step \d+; the same command goes on from there/)
    expect(cut.stderr).toMatch(/✖ The reader of the output is gone/)
    expect(cut.code).toBe(130)
    const resumed = await readUntil(/"kind":"step"/, args)
    expect(resumed.code).toBe(130)
    const [, saved] = /stopped after step (\d+)/.exec(cut.stderr) ?? []
    expect(JSON.parse(resumed.stdout.split('\n', 1)[0]!)).toMatchObject({
      kind: 'resume',
      step: Number(saved),
    })
  })

  it('ends a conversation, of which all that was answered is kept', async () => {
    const chatModel = inFolder('chat-model')
    cpSync(model, chatModel, { recursive: true })
    const template = '{{ bos_token }}{% for m in messages %} {{ m.content }}{% endfor %}'
    writeFileSync(join(chatModel, 'chat_template.jinja'), template)
    const file = inFolder('talk.trimkv')
    const args = ['chat', chatModel, '--policy', 'streaming', '--budget', '32', '--max-new', '20']
    const lines = 'put key library . find key\n'.repeat(20_000)
    const kept = await readUntil(/\n./, [...args, '--session', file], lines)
    expect(kept.stderr).toMatch(/✖ The reader of the output is gone/)
    expect(kept.code).toBe(130)
    const { messages } = JSON.parse((await run(['cache', 'show', file, '--json'])).stdout)
    expect(messages.length).toBeGreaterThanOrEqual(2)
    expect(messages.length % 2).toBe(0)
    // Nothing but the output was to be made: whoever reads it has had enough.
    expect(await readUntil(/\n./, [...args, '-q'], lines)).toMatchObject({ code: 0, stderr: '' })
  })

  it('of the talk on stderr alone ends nothing', async () => {
    const child = spawn(process.execPath, [program, ...train('untold', 2)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr.destroy()
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code).toBe(0)
    expect(existsSync(join(inFolder('untold'), 'retention_gates.safetensors'))).toBe(true)
  })
})

it
  .skipIf(!existsSync('/dev/full'))
  .each([
    ['--help'],
    ['doctor'],
    ['generate', model, '-p', 'find key', '--policy', 'full', '--max-new', '3'],
    ['chat', model, '--help'],
  ])('a full disk behind the output is told: %s', (...args) => {
  const command = ['-c', 'exec "$@" > /dev/full', 'sh', process.execPath, program, ...args]
  const { status, stderr } = spawnSync('sh', command, { encoding: 'utf8' })
  expect(stderr).toMatch(/✖ The output cannot be written +TRIMKV_DISK\n.*ENOSPC/)
  expect(stderr.match(/✖/g)).toHaveLength(1)
  expect(status).toBe(1)
})
