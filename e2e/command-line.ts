import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** The program as it is installed. */
export const program: string = join(root, 'packages/trimkv/bin/trimkv.mjs')

/** Runs TypeScript files as a user of Node 20 would. */
export const jiti: string = join(root, 'packages/trimkv/node_modules/jiti/lib/jiti-cli.mjs')

export interface Finished {
  /** Exit code; undefined when a signal ended the process. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** Text on stdin; without it stdin is closed. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Working folder; default: the root of the workspace. */
  readonly cwd?: string
  /** Default: {@link program}. */
  readonly script?: string
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[]
  /** Called with each piece of stdout. */
  readonly onOutput?: (child: ChildProcess, text: string) => void
}

/** Variables that would change what is printed. */
const neutral = {
  NO_COLOR: '',
  FORCE_COLOR: '',
  CI: '',
  TERM: 'xterm',
  HF_HOME: '/nonexistent',
  HF_TOKEN: '',
  HF_HUB_OFFLINE: '1',
}

/** Starts a program like a user and waits for its end. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { input, env, cwd = root, script = program, nodeFlags = [], onOutput } = options
  if (!existsSync(join(root, 'packages/trimkv/dist/cli.js'))) throw new Error('build first: npm run build')
  const child = spawn(process.execPath, [...nodeFlags, script, ...args], {
    cwd,
    env: { ...process.env, ...neutral, ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    onOutput?.(child, text)
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  // A program may end before it has read all.
  child.stdin?.on('error', () => {}).end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? undefined, stdout, stderr }))
  })
}

/** Names in a folder of files that are being written, or were when their writer was killed; none where there is no folder. */
export const unfinishedFiles = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder).filter((name) => name.startsWith('.') && name.endsWith('.tmp'))
    : []

/**
 * Kills the program some time after a file that it is writing has appeared in a folder.
 * @returns whether that came before its end
 */
export function killWhileWriting(
  args: readonly string[],
  { folder, delayMs }: { readonly folder: string; readonly delayMs: number },
): Promise<boolean> {
  const before = new Set(unfinishedFiles(folder))
  const child = spawn(process.execPath, [program, ...args], {
    stdio: 'ignore',
    env: { ...process.env, ...neutral },
  })
  const watch = setInterval(() => {
    if (unfinishedFiles(folder).every((name) => before.has(name))) return
    clearInterval(watch)
    setTimeout(() => child.kill('SIGKILL'), delayMs)
  }, 1)
  return new Promise((resolve) =>
    child.on('close', (_, signal) => {
      clearInterval(watch)
      resolve(signal === 'SIGKILL')
    }),
  )
}
