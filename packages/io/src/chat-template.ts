import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { createContext, Script } from 'node:vm'
import { Template } from '@huggingface/jinja'
import { fail } from '@trimkv/tensor'
import { fileExists, isJsonObject, type JsonObject, readJsonObjectIfAny, readText } from './json-file.ts'
import { malformed } from './malformed.ts'
import { specialTokenText } from './tokenizer.ts'

/** One turn of a conversation. Templates read other fields too, such as `tool_calls`; they are passed on. */
export interface ChatMessage {
  readonly role: string
  readonly content?: unknown
  readonly [field: string]: unknown
}

/** What a template is told beside the messages. */
export interface ChatOptions {
  /** Ends with the beginning of an answer, for the model to go on. Default false. */
  readonly addGenerationPrompt?: boolean
  /** For models that can think before they answer; absent leaves it to the template. */
  readonly enableThinking?: boolean
  /** Descriptions of functions, in the form the model was trained on (usually JSON Schema). */
  readonly tools?: readonly unknown[]
  /** Further variables that one template knows. */
  readonly variables?: Readonly<Record<string, unknown>>
}

/** The format of a conversation that a model was trained on. */
export interface ChatTemplate {
  /**
   * The conversation as text, special tokens spelled out: encode it without adding special tokens.
   * @throws TrimError `TRIMKV_TEMPLATE` with the message of the template when it refuses the messages, or when it fails or
   *   takes more than 2 seconds
   */
  render(messages: readonly ChatMessage[], options?: ChatOptions): string
  /** SHA-256 of the source, to tell results of different templates apart. */
  readonly hash: string
}

const templateFile = 'chat_template.jinja'
const configFile = 'tokenizer_config.json'
const largestTemplate = 1024 * 1024
const timeoutMs = 2_000

/**
 * Loads the chat template of a checkpoint folder: `chat_template.jinja`, else `chat_template` of `tokenizer_config.json`.
 * Time is bounded and a template reaches nothing but its variables; memory is bounded by that time only.
 * @returns undefined when the folder has none, as base models do
 * @throws TrimError `TRIMKV_FORMAT`; `TRIMKV_TEMPLATE` when the source is no template
 * @see transformers 4.57.1, `apply_chat_template`, whose text this is
 */
export async function loadChatTemplate(dir: string): Promise<ChatTemplate | undefined> {
  const config = (await readJsonObjectIfAny(join(dir, configFile))) ?? {}
  const sources = await readSources(dir, config)
  if (!sources?.has('default')) return undefined
  const file = join(dir, (await fileExists(join(dir, templateFile))) ? templateFile : configFile)
  return templateOf(sources, config, file)
}

/** As {@link loadChatTemplate}, from a parsed `tokenizer_config.json`. @param file where it came from, for error messages */
export function chatTemplateOf(config: JsonObject, file: string): ChatTemplate | undefined {
  const sources = sourcesIn(config, file)
  return sources?.has('default') ? templateOf(sources, config, file) : undefined
}

function templateOf(sources: ReadonlyMap<string, string>, config: JsonObject, file: string): ChatTemplate {
  const main = sources.get('default')!
  const withoutTools = compile(main, file)
  const toolSource = sources.get('tool_use')
  const withTools = toolSource === undefined ? withoutTools : compile(toolSource, file)
  const specialTokens = readSpecialTokens(config)

  return {
    hash: createHash('sha256')
      .update([...sources.values()].join('\0'))
      .digest('hex'),
    render(messages, { addGenerationPrompt = false, enableThinking, tools, variables } = {}) {
      const render = tools === undefined ? withoutTools : withTools
      return render({
        ...specialTokens,
        ...variables,
        messages,
        tools: tools ?? null,
        documents: null,
        add_generation_prompt: addGenerationPrompt,
        ...(enableThinking === undefined ? {} : { enable_thinking: enableThinking }),
      })
    },
  }
}

/** Templates by name: one `default`, and where a model has it a `tool_use` for conversations with tools. */
async function readSources(
  dir: string,
  config: JsonObject,
): Promise<ReadonlyMap<string, string> | undefined> {
  const path = join(dir, templateFile)
  if (await fileExists(path)) return new Map([['default', await readText(path, largestTemplate)]])
  return sourcesIn(config, join(dir, configFile))
}

function sourcesIn(config: JsonObject, file: string): ReadonlyMap<string, string> | undefined {
  const value = config.chat_template
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return new Map([['default', value]])
  const isNamed = (entry: unknown): entry is { name: string; template: string } =>
    isJsonObject(entry) && typeof entry.name === 'string' && typeof entry.template === 'string'
  if (Array.isArray(value) && value.every(isNamed)) {
    return new Map(value.map(({ name, template }) => [name, template]))
  }
  return malformed({ file, field: 'chat_template', expected: 'a template, or named templates', got: value })
}

/** Every special token of the configuration, under its name there. */
const readSpecialTokens = (config: JsonObject): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'].flatMap(
      (name) => {
        const text = specialTokenText(config[name])
        return text === undefined ? [] : [[name, text]]
      },
    ),
  )

function compile(source: string, file: string): (variables: Record<string, unknown>) => string {
  if (source.length > largestTemplate) {
    malformed({
      file,
      field: 'chat template',
      expected: `at most ${largestTemplate} characters`,
      got: source.length,
    })
  }
  const template = bounded(() => new Template(source), file)
  return (variables) => bounded(() => template.render(variables), file)
}

/** Runs `work` under a watchdog: a template is a program, and a file may hold one that never ends. */
function bounded<T>(work: () => T, file: string): T {
  try {
    return new Script('work()').runInContext(createContext({ work }), { timeout: timeoutMs })
  } catch (cause) {
    const tookTooLong = (cause as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
    const reason = tookTooLong ? `it took more than ${timeoutMs} ms` : (cause as Error).message
    return fail('TRIMKV_TEMPLATE', `the chat template failed: ${reason}`, {
      details: { file, reason },
      cause,
    })
  }
}
