// @ts-check
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/**
 * @typedef {object} CommandOptions
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} [env]
 * @property {boolean} [capture] keep the output instead of showing it
 * @property {(line: string) => void} [onLine] called with each captured line
 */

/**
 * Runs a program to its end and forwards signals to it.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {CommandOptions} options
 * @returns {Promise<{ code: number, output: string }>} 128 + signal number when a signal ended it, 127 when it could not start
 */
export function runCommand(program, args, options) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: options.capture ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    })
    let output = ''
    const collect = (/** @type {Buffer} */ chunk) => {
      const text = chunk.toString()
      output += text
      const line = text.trimEnd().split('\n').at(-1)
      if (line) options.onLine?.(line)
    }
    child.stdout?.on('data', collect)
    child.stderr?.on('data', collect)

    const stopForwarding = forwardSignals(child)
    const finish = (/** @type {number} */ code) => {
      stopForwarding()
      resolve({ code, output })
    }
    child.on('error', (error) => {
      output += error.message
      finish(127)
    })
    child.on('close', (code, signal) => finish(code ?? 128 + constants.signals[signal ?? 'SIGTERM']))
  })
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {() => void} removes the handlers
 */
function forwardSignals(child) {
  // A terminal sends Ctrl-C to the whole process group: a second one would read as "stop at once".
  const onInterrupt = () => process.stdin.isTTY || child.kill('SIGINT')
  const onTerminate = () => child.kill('SIGTERM')
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onTerminate)
  return () => {
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onTerminate)
  }
}
