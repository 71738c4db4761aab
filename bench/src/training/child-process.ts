import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fail, TrimError } from '@trimkv/tensor'

const jiti = join(dirname(createRequire(import.meta.url).resolve('jiti/package.json')), 'lib/jiti-cli.mjs')

/**
 * Runs a file of this folder in a process of its own, whose memory is its alone.
 * @param options what it gets from {@link childOptions}
 * @param settings flags of Node and variables, for that process
 * @returns what it gives to {@link answer}
 */
export async function runChild<Result>(
  file: string,
  options: object,
  settings: { readonly flags?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Result> {
  const script = fileURLToPath(new URL(file, import.meta.url))
  const child = fork(jiti, [script, JSON.stringify(options)], {
    execArgv: ['--expose-gc', ...(settings.flags ?? [])],
    env: { ...process.env, ...settings.env },
  })
  let answered: { readonly result: Result } | undefined
  child.once('message', (result) => {
    answered = { result: result as Result }
  })
  // Also after an answer: what a child used of the processors counts as this process's own once it is gone.
  const [[code]] = await Promise.all([once(child, 'exit'), once(child, 'disconnect')])
  if (answered) return answered.result
  throw new TrimError('TRIMKV_DEVICE', { what: `${file} ended with ${code} and no answer` })
}

/** In the child: the options it was started with. */
export const childOptions = <Options>(): Options => JSON.parse(process.argv[2] ?? '{}') as Options

/** In the child: sends its result. */
export function answer(result: object): void {
  if (!process.send) fail('TRIMKV_OPTION', 'this program is started by the benchmark of its section')
  process.send(result)
}

/** In bytes, what this process has in memory now, and had at most. @throws TRIMKV_UNSUPPORTED but on Linux */
export function residentMemory(): {
  readonly now: number
  readonly peak: number
  readonly anonymousNow: number
} {
  if (process.platform !== 'linux')
    fail('TRIMKV_UNSUPPORTED', 'peak memory is read from /proc, which Linux has')
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name: string): number =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1])
  return { now: field('VmRSS'), peak: field('VmHWM'), anonymousNow: field('RssAnon') }
}
