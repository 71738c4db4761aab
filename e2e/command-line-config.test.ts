import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { referenceModelDir } from '@trimkv/reference-model'
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

describe('other forms of output', () => {
  it('--dry-run prints settings and bytes and runs nothing', async () => {
    const { code, stdout } = await run([...generate, '--budget', '8', '--dry-run'], { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(/budget +8\n[\s\S]*weights +3\.29 MiB[\s\S]*bounded cache/)
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
