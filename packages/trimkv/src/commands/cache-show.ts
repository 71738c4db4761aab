import { statSync } from 'node:fs'
import { readSessionHeader, type SessionHeader } from '@trimkv/engine'
import { Command } from 'commander'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { checkedSettings } from '../command-line/settings.ts'
import { bytesText, countText } from '../terminal/number-text.ts'

type Line = readonly [name: string, value: string]

const optionsText = (options: Readonly<Record<string, unknown>>): string =>
  Object.entries(options)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')

function headerLines({ model, gates, isa, settings, seats, messages }: SessionHeader): Line[] {
  const { policy, policyOptions, budget, mode, kvDtype } = settings
  const how = mode.mode === 'exact' ? 'evicting after every token' : `buffer ${countText(mode.buffer)}`
  const kept = budget === null ? 'keeps every token' : `budget ${countText(budget)} tokens per head, ${how}`
  const sequences = seats.map(({ seen, stored, pinned }) =>
    [
      `${countText(seen)} tokens read, ${countText(stored)} kept per head`,
      ...(pinned > 0 ? [`${countText(pinned)} pinned`] : []),
    ].join(', '),
  )
  return [
    ['model', `${model.name ?? 'without a name'}, weights ${model.weights.slice(0, 16)}`],
    ['gates', gates === null ? 'not read by the policy' : gates.slice(0, 16)],
    ['policy', `${policy} (${optionsText(policyOptions)})`],
    ['cache', `${kept}, keys and values in ${kvDtype}`],
    ...sequences.map((text, seat): Line => [seats.length === 1 ? 'sequence' : `sequence ${seat}`, text]),
    ...(messages ? [['conversation', `${countText(messages.length)} messages`] as const] : []),
    ['written by', `kernels for ${isa}`],
  ]
}

async function run({ args, raw, terminal }: CommandContext): Promise<undefined> {
  const { json } = await checkedSettings(raw, ['json'])
  const file = args[0]!
  const header = await readSessionHeader(file)
  const bytes = statSync(file).size
  if (json) {
    terminal.data(`${JSON.stringify({ file, bytes, ...header })}\n`)
    return
  }
  const lines: Line[] = [['file', `${file}, ${bytesText(bytes)}`], ...headerLines(header)]
  for (const [name, value] of lines) terminal.data(`${name.padEnd(14)} ${value}\n`)
}

/** `trimkv cache show`: what a saved prefix or conversation holds. */
export function cacheShowCommand(): CliCommand {
  const command = new Command('show')
    .argument('<file>', 'a file of `trimkv cache save` or `trimkv chat --session`')
    .summary('what a saved prefix or conversation holds')
    .description('What a saved prefix or conversation holds and was made with. Its checksum is not computed.')
  return { group: 'cache', command: withFlags(command, flags.json()), run }
}
