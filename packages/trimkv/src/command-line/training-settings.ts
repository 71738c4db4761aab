import { type GateKind, gateKinds } from '@trimkv/io'
import type * as Zod from 'zod'
import { checkedValues, type Schemas, valueSchemas } from './settings.ts'

/** Flags of every training; what is not given is left to the recipe. */
export interface TrainingSettings {
  readonly out: string
  readonly steps?: number | undefined
  readonly lr?: number | undefined
  readonly warmup?: number | undefined
  readonly weightDecay?: number | undefined
  readonly clip?: number | undefined
  readonly checkpointEvery: number
  readonly seed?: number | undefined
  readonly threads?: number | undefined
  readonly restart: boolean
  readonly json: boolean
  readonly jsonl: boolean
}

/** Flags that say what gates read. */
export interface DataSettings {
  readonly data: readonly string[]
  readonly length?: number | undefined
  readonly rows?: number | undefined
  readonly packing?: boolean | undefined
  readonly validationShare?: number | undefined
  readonly validateEvery?: number | undefined
  readonly validationBatches?: number | undefined
}

/** Names of the recipes for gates. */
export const gateRecipeNames = ['long-context', 'math', 'paper', 'reference'] as const

/** Flags of `train gates`. */
export interface GateTrainingSettings extends TrainingSettings, DataSettings {
  readonly offline: boolean
  readonly recipe: (typeof gateRecipeNames)[number]
  /** Tokens per head; below 1 a share of a row. */
  readonly budget?: number | undefined
  readonly accumulation?: number | undefined
  readonly kind?: GateKind | undefined
  readonly units?: number | undefined
  readonly bias?: number | undefined
  readonly kl?: 'forward' | 'reverse' | 'none' | undefined
  readonly ntp?: boolean | undefined
  readonly combine?: 'mean' | 'sum' | undefined
  readonly capacity?: 'head' | 'global' | undefined
  readonly capacityForm?: 'code' | 'paper' | undefined
  readonly capacityWeight?: number | undefined
}

/** Flags of `train lm`. */
export interface ModelTrainingSettings extends TrainingSettings {
  readonly recipe: 'reference'
  readonly jointGates: boolean
}

function sharedSchemas(z: typeof Zod): Schemas<TrainingSettings> {
  const { flag, number, integer } = valueSchemas(z)
  return {
    out: z.string('expected a folder').min(1, 'expected a folder'),
    steps: integer(1).optional(),
    lr: number.pipe(z.number().min(0, 'expected a number ≥ 0')).optional(),
    warmup: integer(0).optional(),
    weightDecay: number.pipe(z.number().min(0, 'expected a number ≥ 0')).optional(),
    clip: number.pipe(z.number().gt(0, 'expected a number above 0')).optional(),
    checkpointEvery: integer(1).prefault('50'),
    seed: integer(0).optional(),
    threads: integer(1).optional(),
    restart: flag,
    json: flag,
    jsonl: flag,
  }
}

/** `512`, `512tok` or `25%`: tokens, or a share below 1. */
function budgetSchema(z: typeof Zod): Zod.ZodType<number> {
  const error = 'expected tokens per head such as 512 or 512tok, or a share of a row such as 25%'
  return z
    .string()
    .trim()
    .regex(/^(?:[1-9]\d*(?:tok)?|0*[1-9]\d?(?:\.\d+)?%)$/, error)
    .transform((text) => (text.endsWith('%') ? Number.parseFloat(text) / 100 : Number.parseInt(text, 10)))
}

function gateSchemas(z: typeof Zod): Schemas<GateTrainingSettings> {
  const { text, flag, number, integer } = valueSchemas(z)
  const share = number.pipe(z.number().gt(0, 'expected a share above 0').lt(1, 'expected a share below 1'))
  return {
    ...sharedSchemas(z),
    offline: flag,
    recipe: z.enum(gateRecipeNames).default('long-context'),
    data: z.array(text).default([]),
    length: integer(2).optional(),
    rows: integer(1).optional(),
    packing: z.boolean().optional(),
    validationShare: share.optional(),
    validateEvery: integer(1).optional(),
    validationBatches: integer(1).optional(),
    budget: budgetSchema(z).optional(),
    accumulation: integer(1).optional(),
    kind: z.enum(gateKinds).optional(),
    units: integer(1).optional(),
    bias: number.optional(),
    kl: z.enum(['forward', 'reverse', 'none']).optional(),
    ntp: z.boolean().optional(),
    combine: z.enum(['mean', 'sum']).optional(),
    capacity: z.enum(['head', 'global']).optional(),
    capacityForm: z.enum(['code', 'paper']).optional(),
    capacityWeight: number.pipe(z.number().min(0, 'expected a number ≥ 0')).optional(),
  }
}

type Raw = Readonly<Record<string, unknown>>

const allOf = <S>(raw: Raw, schemas: Schemas<S>): S =>
  checkedValues(raw, schemas, Object.keys(schemas) as (keyof S & string)[]) as S

/** @throws TRIMKV_OPTION naming the flag, what it expects and what it got */
export const gateTrainingSettings = async (raw: Raw): Promise<GateTrainingSettings> =>
  allOf(raw, gateSchemas(await import('zod')))

/** @throws TRIMKV_OPTION as {@link gateTrainingSettings} */
export async function modelTrainingSettings(raw: Raw): Promise<ModelTrainingSettings> {
  const z = await import('zod')
  const { flag } = valueSchemas(z)
  return allOf<ModelTrainingSettings>(raw, {
    ...sharedSchemas(z),
    recipe: z.literal('reference').default('reference'),
    jointGates: flag,
  })
}
