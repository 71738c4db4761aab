// @ts-check
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { runCommand } from './command.mjs'

const module = JSON.stringify(new URL('command.mjs', import.meta.url).href)
const cwd = fileURLToPath(new URL('.', import.meta.url))
const node = (/** @type {string} */ script) =>
  runCommand(process.execPath, ['-e', script], { cwd, capture: true })

describe('runCommand', () => {
  it('returns the exit code and the output', async () => {
    expect(await node('console.log("hello"); process.exit(3)')).toEqual({ code: 3, output: 'hello\n' })
  })

  it('returns 128 plus the signal that ended the program', async () => {
    expect((await node('process.kill(process.pid, "SIGKILL")')).code).toBe(137)
  })

  it('returns 127 for a program that does not exist', async () => {
    const result = await runCommand('no-such-program', [], { cwd, capture: true })
    expect(result.code).toBe(127)
    expect(result.output).toContain('no-such-program')
  })

  it('shows the last line as it comes', async () => {
    /** @type {string[]} */
    const lines = []
    const script = 'console.log("first\\nsecond")'
    await runCommand(process.execPath, ['-e', script], {
      cwd,
      capture: true,
      onLine: (line) => lines.push(line),
    })
    expect(lines.at(-1)).toBe('second')
  })

  it('hands an interrupt on and outlives the program it runs', async () => {
    const inner =
      'process.on("SIGINT", () => process.exit(7)); console.log("ready"); setInterval(() => {}, 1000)'
    const outer = `import(${module}).then(async ({ runCommand }) => {
      const { code } = await runCommand(process.execPath, ['-e', ${JSON.stringify(inner)}], { cwd: '.' })
      process.exit(code + 1)
    })`
    const child = spawn(process.execPath, ['-e', outer], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.once('data', () => child.kill('SIGINT'))
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code).toBe(8)
  })
})
