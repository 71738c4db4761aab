import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from './command-line.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'trimkv-config-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

const write = (name: string, text: string): void => writeFileSync(join(cwd, name), text)
const generate = ['generate', referenceModelDir, '--prompt', 'put key barn . ana sings . find key']
const usage = async (args: readonly string[], env: Record<string, string> = {}) => {
  const { code, stdout } = await run([...generate, '--json', ...args], { cwd, env })
  expect(code).toBe(0)
  const { usage } = JSON.parse(stdout) as { usage: { policy: string; budget: number; newTokens: number } }
  return { policy: usage.policy, budget: usage.budget, newTokens: usage.newTokens }
}

describe('settings', () => {
  it('come from flags, then variables, then the file: for one command, then for all', async () => {
    write(
      'trimkv.config.json',
      '{"policy": "streaming", "budget": 7, "exact": true, "generate": {"maxNew": 2}}',
    )
    expect(await usage([])).toEqual({ policy: 'streaming', budget: 7, newTokens: 2 })
    expect(await usage([], { TRIMKV_BUDGET: '8' })).toMatchObject({ budget: 8 })
    expect(await usage(['--budget', '9'], { TRIMKV_BUDGET: '8' })).toMatchObject({ budget: 9 })
  })

  it.each([
    ['trimkv.config.yaml', 'policy: tova\nbudget: 6\nexact: true\nmaxNew: 1\n'],
    ['trimkv.config.ts', "export default { policy: 'tova', budget: 6, exact: true, maxNew: 1 } as const"],
  ])('are read from %s', async (name, text) => {
    write(name, text)
    expect(await usage([])).toEqual({ policy: 'tova', budget: 6, newTokens: 1 })
  })

  it('show who set them', async () => {
    write('trimkv.config.json', '{"score": {"budget": 5}}')
    const { code, stdout } = await run(['config', 'show', '--json'], { cwd, env: { TRIMKV_TOP_K: '3' } })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toContainEqual({
      command: 'score',
      name: 'budget',
      value: '5',
      origin: 'trimkv.config.json (score)',
    })
    expect(stdout).toContain('{"command":"generate","name":"topK","value":"3","origin":"TRIMKV_TOP_K"}')
  })

  it.each([
    ['{"budgett": 5}', /budgett is not a setting[\s\S]*did you mean "budget"/],
    ['{"score": {"steps": 5}}', /score\.steps is not a setting/],
    ['{"budget": {"a": 1}}', /budget[\s\S]*expected text, a number/],
    ['[1]', /expected settings by name/],
    ['{', /cannot be read/],
  ])('that are wrong end with 3: %s', async (text, message) => {
    write('trimkv.config.json', text)
    const { code, stderr } = await run(generate, { cwd })
    expect(code).toBe(3)
    expect(stderr).toMatch(message)
    expect(stderr).toContain('TRIMKV_CONFIG_INVALID')
  })
})

/** A run of another command, with its code and what it said. */
const said = async (args: readonly string[], env: Record<string, string> = {}) => {
  const { code, stdout, stderr } = await run(args, { cwd, env })
  return { code, text: stdout + stderr }
}

describe('settings of a layer', () => {
  it('are enough where a command needs them', async () => {
    const trace = ['trace', referenceModelDir, '--ids', '5,6', '--policy', 'full']
    expect((await run(trace, { cwd, env: { TRIMKV_STEPS: '2' } })).code).toBe(0)
    const save = ['cache', 'save', referenceModelDir, '-p', 'find key', '--policy', 'full']
    write('trimkv.config.json', '{"cache save": {"output": "from-file.trimkv"}}')
    expect(await run(save, { cwd })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^from-file\.trimkv/),
    })
    expect(existsSync(join(cwd, 'from-file.trimkv'))).toBe(true)
  })

  it('never delete', async () => {
    const convert = ['convert', 'gates', referenceGatesDir, '--to', 'safetensors', '--out', 'gates']
    expect((await said(convert)).code).toBe(0)
    write('trimkv.config.json', '{"force": true}')
    expect(await said(convert, { TRIMKV_FORCE: '1' })).toMatchObject({
      code: 2,
      text: expect.stringMatching(/exists/),
    })
    write('trimkv.config.json', '{"convert": {"force": true}}')
    expect(await said(convert)).toMatchObject({
      code: 3,
      text: expect.stringMatching(/convert\.force is not a setting/),
    })
  })

  it('stop no command that has no use for them', async () => {
    const env = { TRIMKV_FORCE: '5,17', TRIMKV_CHAT: 'maybe' }
    expect((await run(['doctor'], { cwd, env })).code).toBe(0)
    expect(await said(['config', 'show'], env)).toMatchObject({
      code: 2,
      text: expect.stringMatching(/TRIMKV_CHAT cannot be "maybe"/),
    })
    expect(await said(generate, env)).toMatchObject({ code: 2 })
  })

  it('give way to what excludes them in a higher one', async () => {
    write('trimkv.config.json', '{"buffer": 4, "ids": "1,2", "exact": false}')
    expect(await usage(['--exact'], { TRIMKV_BUFFER: '4' })).toMatchObject({ policy: 'full' })
    expect(await usage(['--max-new', '1'], { TRIMKV_EXACT: '0' })).toMatchObject({ newTokens: 1 })
    writeFileSync(join(cwd, 'prompt.txt'), 'find key')
    const fromFile = ['score', referenceModelDir, '--prompt-file', 'prompt.txt']
    expect((await run(fromFile, { cwd, env: { TRIMKV_PROMPT: 'zzz' } })).code).toBe(0)
    const both = { TRIMKV_PROMPT: 'zzz', TRIMKV_PROMPT_FILE: 'prompt.txt' }
    expect(await said(['score', referenceModelDir], both)).toMatchObject({
      code: 2,
      text: expect.stringMatching(/exclude each other/),
    })
  })

  it.each([
    ['{"budget": "abc"}', /--budget cannot be "abc"[\s\S]*256MiB[\s\S]*set by trimkv\.config\.json\n/],
    [
      '{"generate": {"exact": "true"}}',
      /--exact cannot be "true"[\s\S]*set by trimkv\.config\.json \(generate\)/,
    ],
    ['{"temperature": -1}', /temperature must be[\s\S]*set by trimkv\.config\.json/],
  ])('that are wrong are of the file that set them: %s', async (text, message) => {
    write('trimkv.config.json', text)
    expect(await said(generate)).toMatchObject({ code: 3, text: expect.stringMatching(message) })
    expect((await said([...generate, '--budget', 'x'])).text).not.toMatch(/--budget[\s\S]*set by/)
  })

  it('are of the variable that set them', async () => {
    const wrong = await said(generate, { TRIMKV_MAX_NEW: 'many' })
    expect(wrong).toMatchObject({
      code: 2,
      text: expect.stringMatching(/--max-new cannot be "many"[\s\S]*set by TRIMKV_MAX_NEW/),
    })
  })

  it('may be one text for a list, or nothing at all', async () => {
    write('trimkv.config.json', '{"stop": "."}')
    expect(JSON.parse((await run([...generate, '--json'], { cwd })).stdout)).toMatchObject({ reason: 'stop' })
    rmSync(join(cwd, 'trimkv.config.json'))
    write('trimkv.config.yaml', '')
    expect((await run([...generate, '--max-new', '1'], { cwd })).code).toBe(0)
  })
})

describe('other forms of output', () => {
  it('--dry-run prints settings and bytes and runs nothing', async () => {
    const { code, stdout } = await run([...generate, '--policy', 'tova', '--budget', '8', '--dry-run'], {
      cwd,
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(/budget +8\n[\s\S]*weights +3\.29 MiB[\s\S]*bounded cache/)
  })

  it.each([
    [['--temperature', 'abc'], /--temperature cannot be "abc"/],
    [['--policy', 'nope'], /nope/],
    [['--max-new', 'zzz'], /--max-new cannot be "zzz"/],
    [['--prompt-file', 'x'], /exclude each other/],
    [['--policy', 'streaming', '--budget', '3'], /smallest valid budget is 5/],
    [['--exact', '--buffer', '3'], /exclude each other/],
  ])('--dry-run refuses what the command refuses: %o', async (args, message) => {
    const { code, stdout, stderr } = await run([...generate, '--dry-run', ...args], { cwd })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
  })

  it('--dry-run estimates the policy of the run', async () => {
    const dry = async (...args: string[]) => (await run([...args, '--dry-run'], { cwd })).stdout
    const small = ['--budget', '8', '--buffer', '2']
    const full = await dry(...generate, '--policy', 'full', ...small)
    expect(full).toMatch(/full cache .*, f32, full keeps every token\n/)
    expect(full).not.toMatch(/bounded cache/)
    expect(await dry(...generate, ...small)).not.toMatch(/bounded cache/)
    expect(await dry(...generate, '--policy', 'snapkv:window=4', ...small)).toMatch(
      /bounded cache .* 8 \+ 2 slots per head, f32, snapkv\n/,
    )
    expect(await dry(...generate, '--gates', referenceGatesDir, ...small)).toMatch(/per head, f32, trimkv\n/)
    const compare = ['compare', referenceModelDir, '-p', 'x', '--policies', 'full,tova,knorm']
    expect(await dry(...compare, ...small)).toMatch(/per head, f32, tova\n/)
  })

  it('--log-format json talks in objects, one per line', async () => {
    const { code, stderr } = await run([...generate, '--max-new', '1', '--log-format', 'json'], { cwd })
    expect(code).toBe(0)
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: string; message: string })
    expect(lines.map(({ level }) => level)).toEqual(lines.map(() => 'info'))
    expect(lines.some(({ message }) => message.includes('tokens read'))).toBe(true)
  })
})
