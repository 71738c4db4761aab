import { Command } from 'commander'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { tableText } from '../terminal/table-text.ts'

function run({ terminal, raw, layers }: CommandContext): Promise<undefined> {
  const rows = Object.entries(layers()).flatMap(([command, settings]) =>
    [...settings].map(([name, { value, origin }]) => [command, name, String(value), origin]),
  )
  if (raw.json) {
    const entries = rows.map(([command, name, value, origin]) => ({ command, name, value, origin }))
    terminal.data(`${JSON.stringify(entries)}\n`)
    return Promise.resolve(undefined)
  }
  if (rows.length === 0)
    terminal.say('no TRIMKV_* variable and no trimkv.config file sets anything: all defaults')
  else {
    const headers = ['command', 'setting', 'value', ...(raw.origin ? ['set by'] : [])]
    terminal.data(
      `${tableText(
        headers.map((header) => ({ header })),
        rows,
      )}\n`,
    )
  }
  return Promise.resolve(undefined)
}

/** `trimkv config show`: what the environment and the configuration file set. */
export function configCommand(): CliCommand {
  const command = new Command('config')
    .argument('<show>', 'show')
    .summary('settings of the environment and of trimkv.config')
    .description(
      'Shows every setting that a TRIMKV_* variable or trimkv.config.{ts,mjs,js,json,yaml} of this folder gives to a command. Flags win over variables, these over the file.',
    )
    .option('--origin', 'also show who set it')
    .option('--json', 'print one JSON list')
  command.registeredArguments[0]!.choices(['show'])
  return { command, run }
}
