import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { referenceGatesDir as gates, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from './command-line.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-cli-'))
const chatModel = join(folder, 'chat-model')
const prompt =
  'put key library . ida smiles . put stone kitchen . finn visits mill . put lamp hall . nia sings . find key'

beforeAll(() => {
  cpSync(referenceModelDir, chatModel, { recursive: true })
  writeFileSync(
    join(chatModel, 'chat_template.jinja'),
    '{{ bos_token }}{% for m in messages %} {{ m.content }}{% endfor %}',
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('generate', () => {
  const flags = ['--policy', 'full', '--max-new', '2']

  it('writes the answer to stdout and everything else to stderr', async () => {
    const { code, stdout, stderr } = await run(['generate', referenceModelDir, '-p', prompt, ...flags])
    expect({ code, stdout }).toEqual({ code: 0, stdout: ' library .\n' })
    expect(stderr).toMatch(/25 tokens read, 2 new/)
    expect(stderr).toMatch(/full · keeps every token/)
    expect(await run(['generate', referenceModelDir, '-p', prompt, ...flags, '-q'])).toMatchObject({
      stderr: '',
    })
  })

  it('takes the prompt from stdin or a file', async () => {
    const file = join(folder, 'prompt.txt')
    writeFileSync(file, `${prompt}\n`)
    expect((await run(['generate', referenceModelDir, ...flags], { input: `${prompt}\n` })).stdout).toBe(
      ' library .\n',
    )
    expect((await run(['generate', referenceModelDir, '--prompt-file', file, ...flags])).stdout).toBe(
      ' library .\n',
    )
  })

  it('prints one object with --json and one per event with --jsonl', async () => {
    const one = JSON.parse(
      (await run(['generate', referenceModelDir, '-p', prompt, ...flags, '--json', '--logprobs', '2']))
        .stdout,
    )
    expect(one).toMatchObject({ text: ' library .', reason: 'length', usage: { promptTokens: 25 } })
    expect(one.tokens[0].top).toHaveLength(2)
    const lines = (await run(['generate', referenceModelDir, '-p', prompt, ...flags, '--jsonl'])).stdout
      .trim()
      .split('\n')
    expect(lines.map((line) => JSON.parse(line).type)).toEqual(['prefill', 'token', 'token', 'done'])
  })

  it('bounds the cache, and says so when the budget was never reached', async () => {
    const bounded = await run([
      'generate',
      referenceModelDir,
      '--gates',
      gates,
      '-p',
      prompt,
      '--budget',
      '8',
      '--exact',
      '--max-new',
      '2',
    ])
    expect(bounded.stderr).toMatch(/trimkv · budget 8 tokens per head, evicting after every token/)
    expect(bounded.stderr).toMatch(/8 entries .* 18 evicted/)
    const idle = await run(['generate', referenceModelDir, '--gates', gates, '-p', prompt, '--max-new', '2'])
    expect(idle.stderr).toMatch(/! the budget was never reached/)
    const without = await run([
      'generate',
      referenceModelDir,
      '-p',
      prompt,
      '--budget',
      '8',
      '--max-new',
      '2',
    ])
    expect(without.stderr).toMatch(/! --budget has no effect: full keeps every token/)
  })

  it('honours FORCE_COLOR and NO_COLOR', async () => {
    const failing = ['generate', 'nowhere', '-p', 'x']
    const coloured = await run(failing, { env: { FORCE_COLOR: '1' } })
    expect(coloured.stderr).not.toBe(stripVTControlCharacters(coloured.stderr))
    const plain = await run(failing, { env: { NO_COLOR: '1' } })
    expect(plain.stderr).toBe(stripVTControlCharacters(plain.stderr))
  })

  it('ends with 130 on the first Ctrl-C, with what was written intact', async () => {
    let sent = false
    const interrupted = await run(
      ['generate', referenceModelDir, '-p', prompt, '--policy', 'full', '--max-new', '100000'],
      {
        onOutput: (child) => {
          if (!sent) child.kill('SIGINT')
          sent = true
        },
      },
    )
    expect(interrupted.code).toBe(130)
    expect(interrupted.stdout).toMatch(/^ library/)
    expect(interrupted.stderr).toMatch(/stopping/)
    expect(interrupted.stderr).not.toMatch(/✖/)
  })

  it('ends quietly when its reader does', async () => {
    const { code, stderr } = await run(
      ['generate', referenceModelDir, '-p', prompt, '--policy', 'full', '--max-new', '5000', '-q'],
      {
        onOutput: (child) => child.stdout?.destroy(),
      },
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })
})

/** As from Node 24 on: a prompt after the end of the input is an error. */
const strictPrompts = `
import { Interface } from 'node:readline'
const { prompt } = Interface.prototype
Interface.prototype.prompt = function (...args) {
  if (this.closed) throw new Error('readline was closed')
  return prompt.apply(this, args)
}`

describe('chat', () => {
  it('answers line by line in one cache', async () => {
    const input = 'put key library . put stone kitchen . find key\n\n. find stone\n'
    const { code, stdout, stderr } = await run(['chat', chatModel, '--policy', 'full', '--max-new', '1'], {
      input,
      nodeFlags: ['--import', `data:text/javascript,${encodeURIComponent(strictPrompts)}`],
    })
    expect({ code, stdout }).toEqual({ code: 0, stdout: ' library\n kitchen\n' })
    expect(stderr.match(/tokens read/g)).toHaveLength(2)
  })

  it('needs a chat template', async () => {
    expect(await run(['chat', referenceModelDir], { input: 'hello\n' })).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/TRIMKV_TEMPLATE/),
    })
  })
})
