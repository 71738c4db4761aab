import { readFileSync } from 'node:fs'
import { TrimError } from '@trimkv/tensor'
import { Command, CommanderError, Option } from 'commander'
import type { CliCommand, CommandContext } from './command-line/cli-command.ts'
import { loadConfigFile } from './command-line/config-file.ts'
import { dryRun } from './command-line/dry-run.ts'
import { listenForInterrupt } from './command-line/interrupt.ts'
import { type LayeredSetting, layeredSettings } from './command-line/setting-layers.ts'
import { cacheSaveCommand } from './commands/cache-save.ts'
import { cacheShowCommand } from './commands/cache-show.ts'
import { chatCommand } from './commands/chat.ts'
import { compareCommand } from './commands/compare.ts'
import { configCommand } from './commands/config.ts'
import { convertCommand } from './commands/convert.ts'
import { doctorCommand } from './commands/doctor.ts'
import { filtersCommand } from './commands/filters.ts'
import { generateCommand } from './commands/generate.ts'
import { inspectCommand } from './commands/inspect.ts'
import { scoreCommand } from './commands/score.ts'
import { traceCommand } from './commands/trace.ts'
import { trainGatesCommand } from './commands/train-gates.ts'
import { trainLmCommand } from './commands/train-lm.ts'
import { errorText } from './terminal/error-text.ts'
import { exitCodeOf, exitCodes } from './terminal/exit-code.ts'
import { createTerminal, type Terminal, type Verbosity, withJsonTalk } from './terminal/terminal.ts'

const commands = [
  generateCommand,
  chatCommand,
  compareCommand,
  scoreCommand,
  traceCommand,
  trainGatesCommand,
  trainLmCommand,
  cacheSaveCommand,
  cacheShowCommand,
  inspectCommand,
  convertCommand,
  filtersCommand,
  doctorCommand,
  configCommand,
]

/** Commands of two words, by the first. */
const groups = {
  cache: 'read a text once and keep what was read, for --prompt-cache',
  train: 'train gates for a model, or a small model',
} as const satisfies Record<NonNullable<CliCommand['group']>, string>

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

/** `generate`, or `train gates`. */
const nameOf = ({ command, group }: CliCommand): string =>
  group === undefined ? command.name() : `${group} ${command.name()}`

/** Options that a file or a variable may set: neither those that only say how much to print, nor what deletes. */
const settable = ({ command }: CliCommand): Option[] =>
  command.options.filter(
    (option) =>
      !option.negate &&
      !['quiet', 'verbose', 'logFormat', 'dryRun', 'restart'].includes(option.attributeName()),
  )

const valuesOf = (settings: ReadonlyMap<string, LayeredSetting>): Record<string, unknown> =>
  Object.fromEntries([...settings].map(([name, { value }]) => [name, value]))

/** What flags, environment and configuration file say. */
async function settingsOf(
  command: Command,
  all: readonly CliCommand[],
): Promise<Pick<CommandContext, 'raw' | 'layers'>> {
  const users = all.filter((entry) => nameOf(entry) !== 'config')
  const known = Object.fromEntries(
    users.map((entry) => [nameOf(entry), settable(entry).map((option) => option.attributeName())]),
  )
  const config = await loadConfigFile(process.cwd(), known)
  const layersOf = (entry: CliCommand, flags: Readonly<Record<string, unknown>>) =>
    layeredSettings({
      command: nameOf(entry),
      options: settable(entry),
      flags,
      env: process.env,
      config,
    })
  const layers = Object.fromEntries(users.map((entry) => [nameOf(entry), layersOf(entry, {})]))
  const own = users.find((entry) => entry.command === command)
  const flags = command.opts()
  return { raw: { ...flags, ...(own && valuesOf(layersOf(own, flags))) }, layers }
}

/** Runs one command and turns what it throws into lines and an exit code. */
async function runCommand({ command, run }: CliCommand, all: readonly CliCommand[]): Promise<number> {
  const flags = command.opts()
  const plain = createTerminal(process, process.env, verbosityOf(flags))
  const terminal = flags.logFormat === 'json' ? withJsonTalk(plain) : plain
  using interrupt = listenForInterrupt(terminal)
  try {
    const { raw, layers } = await settingsOf(command, all)
    const context: CommandContext = { terminal, signal: interrupt.signal, args: command.args, raw, layers }
    if (raw.dryRun) {
      await dryRun(context)
      return exitCodes.ok
    }
    return (await run(context)) ?? exitCodes.ok
  } catch (error) {
    if (interrupt.signal.aborted && !isOtherFailure(error)) return exitCodes.interrupted
    terminal.warn(failureText(error, terminal))
    return exitCodeOf(error)
  }
}

/** Whether work that was to end cleanly failed while it did, such as on a full disk. */
const isOtherFailure = (error: unknown): boolean =>
  TrimError.isInstance(error) && error.code !== 'TRIMKV_ABORTED'

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
  const entries = commands.map((create) => create())
  const parents = new Map<string, Command>()
  const parentOf = ({ group }: CliCommand): Command => {
    if (group === undefined) return program
    const known = parents.get(group)
    if (known) return known
    const parent = new Command(group).description(groups[group]).copyInheritedSettings(program)
    parents.set(group, parent)
    program.addCommand(parent)
    return parent
  }
  for (const entry of entries) {
    entry.command
      .copyInheritedSettings(program)
      .option('-q, --quiet', 'say nothing on stderr but errors')
      .option('-v, --verbose', 'show stacks of errors')
      .addOption(new Option('--log-format <format>', 'form of the talk on stderr').choices(['text', 'json']))
      .action(async () => finish(await runCommand(entry, entries)))
    parentOf(entry).addCommand(entry.command)
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
