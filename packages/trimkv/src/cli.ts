import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import type { CliCommand, CommandContext } from './command-line/cli-command.ts'
import { loadConfigFile } from './command-line/config-file.ts'
import { dryRun } from './command-line/dry-run.ts'
import { listenForInterrupt } from './command-line/interrupt.ts'
import { type LayeredSetting, layeredSettings, withOrigin } from './command-line/setting-layers.ts'
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
import { isAbort, type Output, watchOutput } from './terminal/output.ts'
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

/** Options that only say how much to print. */
const talking = ['quiet', 'verbose', 'logFormat', 'dryRun']

/** Options that delete; `trace --force LIST` does not. */
const isDeleting = (option: Option): boolean =>
  option.isBoolean() && ['restart', 'force'].includes(option.attributeName())

/** Options that a file or a variable may set: neither those that only say how much to print, nor what deletes. */
const settable = ({ command }: CliCommand): Option[] =>
  command.options.filter(
    (option) => !option.negate && !talking.includes(option.attributeName()) && !isDeleting(option),
  )

const valuesOf = (settings: ReadonlyMap<string, LayeredSetting>): Record<string, unknown> =>
  Object.fromEntries([...settings].map(([name, { value }]) => [name, value]))

/** What flags, environment and configuration file say to one command. */
interface Given {
  readonly raw: CommandContext['raw']
  readonly settings: ReadonlyMap<string, LayeredSetting>
}

async function settingsOf(
  command: Command,
  all: readonly CliCommand[],
): Promise<Given & Pick<CommandContext, 'layers'>> {
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
  // Of all commands only when it is asked for: what is wrong with one of them stops no other.
  const layers = () => Object.fromEntries(users.map((entry) => [nameOf(entry), layersOf(entry, {})]))
  const own = users.find((entry) => entry.command === command)
  const flags = command.opts()
  const settings = own ? layersOf(own, flags) : new Map<string, LayeredSetting>()
  return { raw: { ...flags, ...valuesOf(settings) }, settings, layers }
}

interface Program {
  readonly entries: readonly CliCommand[]
  readonly output: Output
}

/** Runs one command and turns what it throws into lines and an exit code. */
async function runCommand(entry: CliCommand, { entries, output }: Program): Promise<number> {
  const { command, names, run, keeps } = entry
  const flags = command.opts()
  const plain = createTerminal(process, process.env, verbosityOf(flags))
  const terminal = flags.logFormat === 'json' ? withJsonTalk(plain) : plain
  using interrupt = listenForInterrupt(terminal, output)
  let given: Given = { raw: flags, settings: new Map() }
  try {
    const { layers, ...read } = await settingsOf(command, entries)
    given = read
    const { raw } = given
    const context: CommandContext = { terminal, signal: interrupt.signal, args: command.args, raw, layers }
    if (raw.dryRun && names) {
      await dryRun(context, names)
      return exitCodes.ok
    }
    return (await run(context)) ?? exitCodes.ok
  } catch (error) {
    const { aborted, reason } = interrupt.signal
    // Work that was to end cleanly may have failed while it did, such as on a full disk.
    const isEnded = aborted && (error === reason || isAbort(error))
    if (isEnded && reason !== output.ended.reason) return exitCodes.interrupted
    // A reader that closes early (`| head`) has what it wanted; what failed is said when the output is looked at last.
    if (isEnded && !(isAbort(reason) && keeps?.(given.raw))) return exitCodes.ok
    const failure = isEnded ? reason : withOrigin(error, given.settings)
    terminal.warn(failureText(failure, terminal))
    return exitCodeOf(failure)
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

function createProgram(output: Output, finish: (code: number) => void): Command {
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
      .action(async () => finish(await runCommand(entry, { entries, output })))
    parentOf(entry).addCommand(entry.command)
  }
  return program
}

/**
 * The command line.
 * @param args what follows the name of the program
 * @returns the exit code: 0 ok, 1 failed, 2 usage, 3 configuration, 4 model, 5 device or memory, 130 interrupted or without
 *   a reader
 */
export async function main(args: readonly string[]): Promise<number> {
  const output = watchOutput(process)
  let code: number = exitCodes.ok
  try {
    await createProgram(output, (result) => {
      code = result
    }).parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode !== 0) return exitCodes.usage
  }
  const failure = await output.failure()
  if (failure === undefined) return code
  const terminal = createTerminal(process, process.env)
  terminal.warn(failureText(failure, terminal))
  return exitCodeOf(failure)
}
