import { createInterface, type Interface } from 'node:readline'
import { ChatSession, type Usage } from '@trimkv/engine'
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
import { sayCache, speedText } from '../command-line/report-text.ts'
import { checkedSettings } from '../command-line/settings.ts'
import { startProgress } from '../terminal/progress.ts'
import type { Terminal } from '../terminal/terminal.ts'

const own = ['policy', 'maxNew', 'stop', 'system'] as const

type Name = (typeof own)[number] | CacheSettingName | SamplingSettingName | ModelSettingName

const names: readonly Name[] = [...own, ...cacheSettingNames, ...samplingSettingNames, ...modelSettingNames]

interface Turn {
  readonly chat: ChatSession
  readonly message: string
  readonly signal: AbortSignal
}

/** Says one message and prints the answer as it comes. */
async function answer({ chat, message, signal }: Turn, terminal: Terminal): Promise<Usage | undefined> {
  using progress = startProgress(terminal, { label: 'reading', unit: 'tokens' })
  for await (const event of chat.send(message, signal)) {
    if (event.type === 'prefill') progress.update(event.processed, event.total)
    if (event.type === 'token') {
      progress[Symbol.dispose]()
      terminal.data(event.text)
    }
    if (event.type !== 'done') continue
    terminal.data('\n')
    terminal.say(terminal.talkColors.dim(speedText(event.usage)))
    return event.usage
  }
  return undefined
}

/**
 * Ctrl-C while an answer comes takes that answer back; at the prompt it ends the conversation.
 * @returns what the last answer took
 */
async function converse(
  chat: ChatSession,
  lines: Interface,
  context: CommandContext,
): Promise<Usage | undefined> {
  let usage: Usage | undefined
  let turn: AbortController | undefined
  lines.on('SIGINT', () => {
    if (turn) turn.abort(new TrimError('TRIMKV_ABORTED', { what: 'Answer stopped' }))
    else lines.close()
  })
  context.signal.addEventListener('abort', () => lines.close(), { once: true })
  lines.prompt()
  for await (const line of lines) {
    if (line.trim() !== '') {
      turn = new AbortController()
      const signal = AbortSignal.any([turn.signal, context.signal])
      try {
        usage = await answer({ chat, message: line, signal }, context.terminal)
      } catch (error) {
        if (!turn.signal.aborted) throw error
        context.terminal.say('\nstopped; the message is taken back')
      }
      turn = undefined
    }
    lines.prompt()
  }
  context.signal.throwIfAborted()
  return usage
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
    const usage = await converse(chat, lines, context)
    if (usage) sayCache(context.terminal, usage, settings)
  } finally {
    lines.close()
  }
}

/** `trimkv chat`: a conversation in one cache. */
export function chatCommand(): CliCommand {
  const command = new Command('chat')
    .argument('<model>', 'model folder, or org/name[@revision] of one to download')
    .summary('a conversation in one bounded cache')
    .description(
      'A conversation that goes on in one cache: each line of stdin is a message. End it with Ctrl-D.',
    )
    .option('--system <text>', 'system message')
  return {
    command: withFlags(
      command,
      flags.model(),
      flags.download(),
      flags.policy(),
      flags.budget(),
      flags.dryRun(),
      flags.sampling(),
    ),
    run,
  }
}
