import { parseBudget } from '@trimkv/cache'
import { fail, TrimError } from '@trimkv/tensor'
import type * as Zod from 'zod'

/** Every value a flag can give, under the name commander derives from the flag. */
export interface Settings {
  readonly gates?: string | undefined
  readonly threads?: number | undefined
  readonly offline: boolean
  readonly kvDtype: 'f32' | 'bf16' | 'f16' | 'f8'
  readonly policy?: string | undefined
  readonly policies: string
  readonly budget?: string | undefined
  readonly buffer?: number | undefined
  readonly exact: boolean
  readonly chunk?: number | undefined
  readonly maxNew?: number | undefined
  readonly beyondLimit: boolean
  readonly temperature?: number | undefined
  readonly topK?: number | undefined
  readonly topP?: number | undefined
  readonly minP?: number | undefined
  readonly repetitionPenalty?: number | undefined
  readonly seed?: number | undefined
  readonly stop: readonly string[]
  readonly logprobs?: number | undefined
  readonly prompt?: string | undefined
  readonly promptFile?: string | undefined
  readonly chat: boolean
  readonly system?: string | undefined
  readonly ids?: readonly number[] | undefined
  readonly idsFile?: string | undefined
  readonly steps: number
  readonly force?: readonly number[] | undefined
  readonly forceReference: boolean
  readonly tensors?: string | undefined
  readonly context?: number | undefined
  readonly weights: 'q8' | 'q4'
  readonly to: 'torch' | 'safetensors'
  readonly data: readonly string[]
  readonly texts: number
  readonly tokens: number
  readonly samples: number
  readonly out: string
  readonly pinSystem: boolean
  readonly promptCache?: string | undefined
  readonly session?: string | undefined
  readonly bestOf?: number | undefined
  readonly output: string
  readonly json: boolean
  readonly jsonl: boolean
}

export type SettingName = keyof Settings

/** One schema per flag. */
export type Schemas<S> = { readonly [K in keyof S]-?: Zod.ZodType<S[K]> }

/** Schemas of values as commander hands them over: text, true, or a list of texts. */
export interface ValueSchemas {
  readonly text: Zod.ZodString
  readonly flag: Zod.ZodType<boolean>
  readonly number: Zod.ZodType<number, string>
  readonly integer: (min: number) => Zod.ZodType<number, string>
}

export function valueSchemas(z: typeof Zod): ValueSchemas {
  const text = z.string('expected a text')
  const flag = z.boolean('expected true or false').default(false)
  const number = text
    .trim()
    .min(1, 'expected a number')
    .transform(Number)
    .pipe(z.number({ error: 'expected a number' }))
  const integer = (min: number) => {
    const error = `expected an integer ≥ ${min}`
    return number.pipe(z.int(error).min(min, error))
  }
  return { text, flag, number, integer }
}

function settingSchemas(z: typeof Zod): Schemas<Settings> {
  const { text, flag, number, integer } = valueSchemas(z)
  const path = text.min(1, 'expected a path')
  const budget = text.superRefine((given, context) => {
    try {
      parseBudget(given)
    } catch (error) {
      if (!TrimError.isInstance(error)) throw error
      const { what, why, hint } = error
      for (const message of [what, ...why, ...(hint ? [hint] : [])])
        context.addIssue({ code: 'custom', message })
    }
  })
  const idList = text
    .regex(/^\s*\d+(\s*,\s*\d+)*\s*$/, 'expected token ids with commas between them, such as 5,17,42')
    .transform((list) => list.split(',').map(Number))
  return {
    gates: text.optional(),
    threads: integer(1).optional(),
    offline: flag,
    kvDtype: z.enum(['f32', 'bf16', 'f16', 'f8']).default('f32'),
    policy: text.optional(),
    policies: text,
    budget: budget.optional(),
    buffer: integer(1).optional(),
    exact: flag,
    chunk: integer(0).optional(),
    maxNew: integer(1).optional(),
    beyondLimit: flag,
    temperature: number.optional(),
    topK: number.optional(),
    topP: number.optional(),
    minP: number.optional(),
    repetitionPenalty: number.optional(),
    seed: number.optional(),
    stop: z.array(text).default([]),
    logprobs: integer(0).optional(),
    prompt: text.optional(),
    promptFile: text.optional(),
    chat: flag,
    system: text.optional(),
    ids: idList.optional(),
    idsFile: text.optional(),
    steps: integer(1),
    force: idList.optional(),
    forceReference: flag,
    tensors: text.optional(),
    context: integer(1).optional(),
    weights: z.enum(['q8', 'q4']),
    to: z.enum(['torch', 'safetensors']),
    data: z.array(text).default([]),
    texts: integer(1).default(20),
    tokens: integer(1).default(2048),
    samples: integer(1).default(3000),
    out: path,
    pinSystem: flag,
    promptCache: path.optional(),
    session: path.optional(),
    bestOf: integer(1).optional(),
    output: path,
    json: flag,
    jsonl: flag,
  }
}

const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/**
 * Checks the flags of one command. The schema library is loaded here, so that `--help` does not pay for it.
 * @param raw   what commander parsed
 * @param names flags the command reads
 * @throws TRIMKV_OPTION naming the flag, what it expects and what it got
 */
export async function checkedSettings<N extends SettingName>(
  raw: Readonly<Record<string, unknown>>,
  names: readonly N[],
): Promise<Pick<Settings, N>> {
  return checkedValues(raw, settingSchemas(await import('zod')), names)
}

function refuse(name: string, value: unknown, issues: readonly { readonly message: string }[]): never {
  const option = flagOf(name)
  const details = { option, setting: name }
  if (value === undefined)
    fail('TRIMKV_OPTION', `${option} is missing`, { hint: `give ${option} with a value`, details })
  return fail('TRIMKV_OPTION', `${option} cannot be ${JSON.stringify(value)}`, {
    why: issues.map(({ message }) => message),
    details,
  })
}

/** As {@link checkedSettings}, with schemas of the command's own. */
export function checkedValues<S, N extends keyof S & string>(
  raw: Readonly<Record<string, unknown>>,
  schemas: Schemas<S>,
  names: readonly N[],
): Pick<S, N> {
  const result: Partial<Record<N, unknown>> = {}
  for (const name of names) {
    const parsed = schemas[name].safeParse(raw[name])
    if (!parsed.success) refuse(name, raw[name], parsed.error.issues)
    result[name] = parsed.data
  }
  return result as Pick<S, N>
}
