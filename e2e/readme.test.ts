import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(`${root}README.md`, 'utf8')
const shell = promisify(execFile)
const run = async (command: string): Promise<string> => {
  const { stdout } = await shell('bash', ['-c', command], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1' },
  })
  return stdout
}

const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1]!)

/** A source file without the comment lines at its head. */
const source = (path: string): string => readFileSync(`${root}${path}`, 'utf8').replace(/^(\/\/.*\n)+/, '')

describe('README', () => {
  it('shows the examples of the package as they are', () => {
    const examples = ['stream', 'my-policy'].map((name) => source(`packages/trimkv/examples/${name}.ts`))
    expect(blocks('ts')).toEqual(examples)
  })

  const commands = blocks('sh').flatMap((block) => block.trim().split('\n'))

  it('has commands to run', () => {
    expect(commands.filter((command) => command.startsWith('npx trimkv')).length).toBeGreaterThanOrEqual(6)
  })

  it('has no other command than these, the demo below, and `npm test`, which runs this', () => {
    const rest = commands.filter((command) => !command.startsWith('npx trimkv'))
    expect(rest).toEqual(['npm run demo', 'npm test'])
  })

  it.each(commands.filter((command) => command.startsWith('npx trimkv')))('runs: %s', async (command) => {
    expect((await run(command)).trim()).not.toBe('')
  })

  it('shows the table that the demo prints, but for what depends on the machine', async () => {
    const fixed = (table: string): string[][] =>
      table
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/ {2,}/))
        .map(([policy, , ...rest]) => [policy!, ...rest.slice(0, 3)])
    const shown = blocks('text').find((block) => block.startsWith('policy'))!
    const printed = (await run('npm run --silent demo -- --seed 7')).match(/^policy .*?(?=\n\n)/ms)![0]
    expect(fixed(shown).slice(2)).toEqual(fixed(printed).slice(2))
  })

  it('names files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!http)([^)]+)\)/g)].map((match) => match[1]!)
    expect(links.length).toBeGreaterThan(4)
    for (const link of links) expect(() => readFileSync(`${root}${link}`)).not.toThrow(/ENOENT/)
  })
})
