import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import type { CliCommand } from './command-line/cli-command.ts'
import { listenForInterrupt } from './command-line/interrupt.ts'
import { chatCommand } from './commands/chat.ts'
import { compareCommand } from './commands/compare.ts'
import { doctorCommand } from './commands/doctor.ts'
import { generateCommand } from './commands/generate.ts'
import { inspectCommand } from './commands/inspect.ts'
import { scoreCommand } from './commands/score.ts'
import { traceCommand } from './commands/trace.ts'
import { errorText } from './terminal/error-text.ts'
import { exitCodeOf, exitCodes } from './terminal/exit-code.ts'
import { createTerminal, type Terminal, type Verbosity } from './terminal/terminal.ts'

const commands = [
  generateCommand,
  chatCommand,
  compareCommand,
  scoreCommand,
  traceCommand,
  inspectCommand,
  doctorCommand,
]

const version = (): string => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}

function verbosityOf({
  quiet,
  verbose,
}: {
  readonly quiet?: boolean
  readonly verbose?: boolean
}): Verbosity {
  if (quiet) return 'quiet'
  return verbose ? 'verbose' : 'normal'
}

/** Runs one command and turns what it throws into lines and an exit code. */
async function runCommand({ command, run }: CliCommand): Promise<number> {
  const raw = command.opts()
  const terminal = createTerminal(process, process.env, verbosityOf(raw))
  using interrupt = listenForInterrupt(terminal)
  try {
    return (await run({ terminal, signal: interrupt.signal, args: command.args, raw })) ?? exitCodes.ok
  } catch (error) {
    if (interrupt.signal.aborted) return exitCodes.interrupted
    terminal.warn(failureText(error, terminal))
    return exitCodeOf(error)
  }
}

const failureText = (error: unknown, { talkColors, columns, verbosity }: Terminal): string =>
  errorText(error, { colors: talkColors, columns, verbose: verbosity === 'verbose' })

/** A message of commander in the form of all other errors. */
function usageError(message: string, write: (text: string) => void): void {
  const { talkColors } = createTerminal(process, process.env)
  const [what = '', hint] = message
    .replace(/^error: /, '')
    .trim()
    .split('\n')
  const more = hint ?? 'trimkv --help lists commands, trimkv COMMAND --help its options'
  write(
    `${talkColors.red('✖')} ${talkColors.bold(what)}\n  ${talkColors.cyan('→')} ${more.replace(/[()]/g, '')}\n`,
  )
}

function createProgram(finish: (code: number) => void): Command {
  const program = new Command('trimkv')
    .description('Language models with a bounded KV cache that keeps what lasts.')
    .version(version())
    .showSuggestionAfterError()
    .configureOutput({ outputError: usageError })
    .exitOverride()
  for (const create of commands) {
    const entry = create()
    entry.command
      .copyInheritedSettings(program)
      .option('-q, --quiet', 'say nothing on stderr but errors')
      .option('-v, --verbose', 'show stacks of errors')
      .action(async () => finish(await runCommand(entry)))
    program.addCommand(entry.command)
  }
  return program
}

/**
 * The command line.
 * @param args what follows the name of the program
 * @returns the exit code: 0 ok, 1 failed, 2 usage, 3 configuration, 4 model, 5 device or memory, 130 interrupted
 */
export async function main(args: readonly string[]): Promise<number> {
  // A reader that closes early (`| head`) is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failed)
  })
  let code: number = exitCodes.ok
  try {
    await createProgram((result) => {
      code = result
    }).parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  }
  return code
}
