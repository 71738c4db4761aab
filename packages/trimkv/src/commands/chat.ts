import { createInterface, type Interface } from 'node:readline'
import { ChatSession } from '@trimkv/engine'
import { TrimError } from '@trimkv/tensor'
import { Command } from 'commander'
import {
  type CacheSettingName,
  cacheOptions,
  cacheSettingNames,
  policyOption,
  type SamplingSettingName,
  samplingOptions,
  samplingSettingNames,
} from '../command-line/cache-settings.ts'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { type ModelSettingName, modelSettingNames, openModel } from '../command-line/open-model.ts'
import { sayUsage } from '../command-line/report-text.ts'
import { checkedSettings } from '../command-line/settings.ts'
import { startProgress } from '../terminal/progress.ts'
import type { Terminal } from '../terminal/terminal.ts'

const own = ['policy', 'maxNew', 'stop', 'system'] as const

type Name = (typeof own)[number] | CacheSettingName | SamplingSettingName | ModelSettingName

const names: readonly Name[] = [...own, ...cacheSettingNames, ...samplingSettingNames, ...modelSettingNames]

/** Says one message and prints the answer as it comes. */
async function answer(
  turn: { readonly chat: ChatSession; readonly message: string; readonly signal: AbortSignal },
  terminal: Terminal,
): Promise<void> {
  using progress = startProgress(terminal, { label: 'reading', unit: 'tokens' })
  for await (const event of turn.chat.send(turn.message, turn.signal)) {
    if (event.type === 'prefill') progress.update(event.processed, event.total)
    if (event.type === 'token') {
      progress[Symbol.dispose]()
      terminal.data(event.text)
    }
    if (event.type !== 'done') continue
    terminal.data('\n')
    sayUsage(terminal, event.usage)
  }
}

/** Ctrl-C while an answer comes takes that answer back; at the prompt it ends the conversation. */
async function converse(chat: ChatSession, lines: Interface, context: CommandContext): Promise<void> {
  let turn: AbortController | undefined
  lines.on('SIGINT', () =>
    turn ? turn.abort(new TrimError('TRIMKV_ABORTED', { what: 'Answer stopped' })) : lines.close(),
  )
  context.signal.addEventListener('abort', () => lines.close(), { once: true })
  lines.prompt()
  for await (const line of lines) {
    if (line.trim() !== '') {
      turn = new AbortController()
      try {
        const signal = AbortSignal.any([turn.signal, context.signal])
        await answer({ chat, message: line, signal }, context.terminal)
      } catch (error) {
        if (!turn.signal.aborted) throw error
        context.terminal.say('stopped; the message is taken back')
      }
      turn = undefined
    }
    lines.prompt()
  }
  context.signal.throwIfAborted()
}

async function run(context: CommandContext): Promise<undefined> {
  const settings = await checkedSettings(context.raw, names)
  const policy = await policyOption(settings.policy)
  using model = await openModel(context, settings)
  const { maxNew, stop, system } = settings
  using chat = new ChatSession(model, {
    ...policy,
    ...cacheOptions(settings),
    ...samplingOptions(settings),
    ...(maxNew !== undefined && { maxNewTokens: maxNew }),
    ...(system !== undefined && { system }),
    stop,
  })
  const isTerminal = process.stdin.isTTY === true
  const lines = createInterface({
    input: process.stdin,
    terminal: isTerminal,
    output: process.stderr,
    prompt: isTerminal ? '> ' : '',
  })
  try {
    await converse(chat, lines, context)
  } finally {
    lines.close()
  }
}

/** `trimkv chat`: a conversation in one cache. */
export function chatCommand(): CliCommand {
  const command = new Command('chat')
    .argument('<model>', 'model folder, or org/name of a downloaded one')
    .summary('a conversation in one bounded cache')
    .description(
      'A conversation that goes on in one cache: each line of stdin is a message. End it with Ctrl-D.',
    )
    .option('--system <text>', 'system message')
  return { command: withFlags(command, flags.model(), flags.policy(), flags.budget(), flags.sampling()), run }
}
