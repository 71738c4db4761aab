import { createInterface, type Interface } from 'node:readline'
import { type ChatOptions, ChatSession, type Model, type Reread, type Usage } from '@trimkv/engine'
import { TrimError } from '@trimkv/tensor'
import { Command } from 'commander'
import {
  type CacheSettingName,
  cacheOptions,
  cacheSettingNames,
  policyOption,
  type SamplingSettingName,
  saidCacheOptions,
  samplingOptions,
  samplingSettingNames,
} from '../command-line/cache-settings.ts'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { type KeptFile, keptFile } from '../command-line/kept-file.ts'
import { type ModelSettingName, modelSettingNames, openModel } from '../command-line/open-model.ts'
import { sayCache, speedText } from '../command-line/report-text.ts'
import { checkedSettings } from '../command-line/settings.ts'
import { checkTarget } from '../command-line/target-file.ts'
import { startProgress } from '../terminal/progress.ts'
import type { Terminal } from '../terminal/terminal.ts'

const own = ['policy', 'maxNew', 'stop', 'system', 'pinSystem', 'session'] as const

type Name = (typeof own)[number] | CacheSettingName | SamplingSettingName | ModelSettingName

const names: readonly Name[] = [...own, ...cacheSettingNames, ...samplingSettingNames, ...modelSettingNames]

const rereadText: Readonly<Record<Reread, string>> = {
  rewritten: 'reading the conversation again: its template puts earlier turns otherwise than they were read',
  stopped: 'reading the conversation again: the answer before was stopped',
}

/** A conversation, and the file it is kept in. */
interface Kept {
  readonly chat: ChatSession
  readonly file: KeptFile | undefined
}

/**
 * Saves a conversation after an answer. It goes on when that fails: nothing that was said is lost by a full disk.
 * @returns the failure
 */
async function keep({ chat, file }: Kept, terminal: Terminal): Promise<TrimError | undefined> {
  if (!file) return undefined
  try {
    await file.save(chat)
    return undefined
  } catch (error) {
    if (!TrimError.isInstance(error)) throw error
    const what = [error.what, ...error.why].join(': ')
    terminal.warn(`${terminal.talkColors.yellow('!')} the conversation was not saved: ${what}`)
    return error
  }
}

interface Turn {
  readonly chat: ChatSession
  readonly message: string
  readonly signal: AbortSignal
}

/** Says one message and prints the answer as it comes. */
async function answer({ chat, message, signal }: Turn, terminal: Terminal): Promise<Usage | undefined> {
  using progress = startProgress(terminal, { label: 'reading', unit: 'tokens' })
  let isTold = false
  for await (const event of chat.send(message, signal)) {
    if (event.type === 'prefill') {
      if (event.reread && !isTold) terminal.say(terminal.talkColors.dim(rereadText[event.reread]))
      isTold = true
      progress.update(event.processed, event.total)
    }
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
 * @throws what kept the last answer from being saved
 */
async function converse(kept: Kept, lines: Interface, context: CommandContext): Promise<Usage | undefined> {
  let usage: Usage | undefined
  let unsaved: TrimError | undefined
  let turn: AbortController | undefined
  lines.on('SIGINT', () => {
    if (turn) turn.abort(new TrimError('TRIMKV_ABORTED', { what: 'Answer stopped' }))
    else lines.close()
  })
  context.signal.addEventListener('abort', () => lines.close(), { once: true })
  // Lines that came before the end of the input are still to be answered, but nothing more is asked for.
  const over = new AbortController()
  lines.once('close', () => over.abort())
  lines.prompt()
  for await (const line of lines) {
    if (line.trim() !== '') {
      turn = new AbortController()
      const signal = AbortSignal.any([turn.signal, context.signal])
      try {
        usage = await answer({ chat: kept.chat, message: line, signal }, context.terminal)
        unsaved = await keep(kept, context.terminal)
      } catch (error) {
        if (!turn.signal.aborted) throw error
        context.terminal.say('\nstopped; the message is taken back')
      }
      turn = undefined
    }
    if (!over.signal.aborted) lines.prompt()
  }
  context.signal.throwIfAborted()
  if (unsaved) throw unsaved
  return usage
}

/** A new conversation, or the one in the file. */
async function openChat(
  model: Model,
  file: KeptFile | undefined,
  { started, said, terminal }: { started: ChatOptions; said: ChatOptions; terminal: Terminal },
): Promise<ChatSession> {
  if (!file?.isThere) return new ChatSession(model, started)
  const chat = await ChatSession.restore(model, file.path, said)
  const turns = chat.messages.filter(({ role }) => role === 'user').length
  terminal.say(`going on with ${turns} ${turns === 1 ? 'message' : 'messages'} of ${file.path}`)
  return chat
}

async function run(context: CommandContext): Promise<undefined> {
  const settings = await checkedSettings(context.raw, names)
  const { maxNew, stop, system, pinSystem, session } = settings
  if (session !== undefined) checkTarget(session)
  const policy = await policyOption(settings.policy)
  using model = await openModel(context, settings)
  const file = session === undefined ? undefined : await keptFile(session)
  const answers: ChatOptions = {
    ...samplingOptions(settings),
    ...(maxNew !== undefined && { maxNewTokens: maxNew }),
    ...(system !== undefined && { system }),
    ...(pinSystem && { pinSystem }),
    stop,
  }
  using chat = await openChat(model, file, {
    started: { ...policy, ...cacheOptions(settings), ...answers },
    said: { ...policy, ...saidCacheOptions(settings, context.raw), ...answers },
    terminal: context.terminal,
  })
  const isTerminal = process.stdin.isTTY === true
  const lines = createInterface({
    input: process.stdin,
    terminal: isTerminal,
    output: process.stderr,
    prompt: isTerminal ? '> ' : '',
  })
  try {
    const usage = await converse({ chat, file }, lines, context)
    if (usage) sayCache(context.terminal, usage, settings)
  } finally {
    lines.close()
  }
}

/** `trimkv chat`: a conversation in one cache. */
export function chatCommand(): CliCommand {
  const command = new Command('chat')
    .argument('<model>', 'model folder or .gguf file, or org/name[@revision][:file.gguf] of one to download')
    .summary('a conversation in one bounded cache')
    .description(
      'A conversation that goes on in one cache: each line of stdin is a message. End it with Ctrl-D.',
    )
    .option('--system <text>', 'system message')
    .option(
      '--session <file>',
      'keep the conversation and its cache in this file, saved after every answer; where it exists, go on with it',
    )
  return {
    command: withFlags(
      command,
      flags.model(),
      flags.download(),
      flags.policy(),
      flags.budget(),
      flags.pinSystem(),
      flags.dryRun(),
      flags.sampling(),
    ),
    keeps: ({ session }) => session !== undefined,
    names,
    run,
  }
}
