import { countingOps, dtypeBytes, type Ops, opTable, shapeOnly, type TensorLike } from '@trimkv/tensor'
import { appendTokens } from '../src/append-tokens.ts'
import type { HostLayer } from '../src/host-access.ts'
import { tableSpecs } from '../src/layer-state.ts'
import type { When } from '../src/option-schema.ts'
import { policies } from '../src/policies/index.ts'
import type { Policy, Preset } from '../src/policy.ts'
import { rateSlots } from '../src/rate-slots.ts'
import { type HeadShares, type ResolvedPolicy, resolvePolicy } from '../src/resolved-policy.ts'
import { mapTables } from '../src/slot-set.ts'
import type { Storage } from '../src/storage.ts'
import { referenceStorage } from '../src/testing/reference-storage.ts'

/** The model that costs are stated for: Qwen3-4B. */
const shape = { layers: 36, queryHeads: 32, kvHeads: 8, headDim: 128, hiddenSize: 2560 }
const budget = 1024
const buffer = 128
const prompt = 4096

const spec = (dtype: 'f32' | 'i32', size: readonly number[]): TensorLike => shapeOnly({ dtype, shape: size })

/** Ops that only note shapes, costs and the names of what was called. */
function tracedOps(): { ops: Ops<TensorLike>; names: Set<string>; flops: () => number } {
  const { ops, total } = countingOps()
  const names = new Set<string>()
  const traced = new Proxy(ops, {
    get(target, name: string) {
      if (Object.hasOwn(opTable, name)) names.add(name)
      return target[name as keyof Ops<TensorLike>]
    },
  })
  return { ops: traced, names, flops: () => total.flops }
}

const phaseWords = {
  decode: 'while decoding',
  'prefill-aware': 'after the prompt, by its own queries',
  'prefill-agnostic': 'after the prompt, by no query',
} as const

/** What one cut of one layer takes, and one token written into it. */
interface Work {
  readonly rating: readonly string[]
  readonly flops: number
  readonly writing: readonly string[]
  readonly writingFlops: number
}

function workOf(policy: ResolvedPolicy, when: When): Work {
  const { eviction, needs } = policy
  if (!eviction) return { rating: [], flops: 0, writing: [], writingFlops: 0 }
  const slots = when === 'prefill' ? prompt : budget + buffer
  const { queryHeads, kvHeads, headDim } = shape
  const sizes = { shape, kvDtype: 'bf16', batch: 1, slots, needs } as const
  const tables = { ...mapTables(tableSpecs(sizes), shapeOnly), count: spec('i32', [1, kvHeads]) }
  const rows = (heads: number, count: number): TensorLike => spec('f32', [1, count, heads, headDim])
  const from: HostLayer<TensorLike> = {
    policy: policy.name,
    layer: 0,
    shape,
    slots: tables,
    seen: spec('i32', [1]),
    ring: needs.window === undefined ? undefined : rows(queryHeads, needs.window),
    rawQueries: { q: rows(queryHeads, prompt), index: spec('i32', [1, prompt]) },
    rotary: { invFreq: spec('f32', [1, headDim / 2]), scale: 1, offset: 0 },
  }
  // Nothing is read or written while only shapes are looked at.
  const storage = referenceStorage() as unknown as Storage<TensorLike>
  const rating = tracedOps()
  rateSlots({ ops: rating.ops, storage, eviction }, from)
  const writing = tracedOps()
  const constants = Object.entries(needs.constants ?? {}).map(([name, c]) => [name, spec('f32', c.shape)])
  appendTokens(
    {
      ops: writing.ops,
      storage,
      policy: policy.name,
      needs,
      shape,
      rates: true,
      constants: Object.fromEntries(constants) as Record<string, TensorLike>,
    },
    {
      layer: 0,
      index: spec('i32', [1, 1]),
      q: rows(queryHeads, 1),
      k: rows(kvHeads, 1),
      v: rows(kvHeads, 1),
      logBeta: spec('f32', [1, 1, kvHeads]),
      outputNorm: spec('f32', [1, 1, kvHeads]),
      input: spec('f32', [1, 1, shape.hiddenSize]),
    },
    { slots: tables, victim: undefined },
  )
  const everyCache = ['kvAppend', 'columnAppend', 'protect']
  const own = (names: Set<string>): string[] => [...names].filter((name) => !everyCache.includes(name))
  return {
    rating: own(rating.names),
    flops: rating.flops(),
    writing: own(writing.names),
    writingFlops: writing.flops(),
  }
}

/** A number of operations with two figures. */
const flopText = (flops: number): string =>
  flops >= 1e9
    ? `${Number((flops / 1e9).toPrecision(2))} GFLOP`
    : `${Number((flops / 1e6).toPrecision(2))} MFLOP`

/** What a token written takes, where it is more than some operations per number of its key. */
const leastShown = (flops: number): string => (flops >= 1e5 ? `, ${flopText(flops)}` : '')

/** What storage takes where heads do not keep the same number of slots. */
function sharesCost(shares: HeadShares): string {
  const tables = 'keys and values in pages per head'
  if (shares.kind !== 'pooled') return tables
  const waits = shares.scope === 'model' ? '; a cut waits for the last layer' : ''
  return `heads share a budget by \`allotSlots\`, ${tables}${waits}`
}

const code = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ')

/** Work of the model itself that a signal adds. */
const signalCosts: Readonly<Record<string, string>> = {
  mass: 'attention also sums its weights, in a second pass over a prompt',
  logBeta: 'the gates of the model, one small MLP per layer and token',
  outputNorm: `\`projectedNorm\`, ${flopText(
    opTable.projectedNorm.cost!(
      {
        v: spec('f32', [1, 1, shape.kvHeads, shape.headDim]),
        weight: spec('f32', [shape.hiddenSize, shape.queryHeads * shape.headDim]),
      },
      {},
    ).flops,
  )} per layer and token`,
}

/** A tensor from a file, sizes by their letters. */
function constantLine(tensor: string, size: readonly number[]): string {
  const letters = new Map([
    [shape.layers, 'L'],
    [shape.kvHeads, 'H'],
    [shape.headDim, 'D'],
    [shape.hiddenSize, 'W'],
  ])
  const sizes = size.map((n) => letters.get(n) ?? n)
  if (!tensor.includes('{layer}')) return `the tensor \`${tensor}\` [${sizes.join(', ')}] from a file`
  return `the tensors \`${tensor}\` [${sizes.slice(1).join(', ')}] from a file`
}

function needLines({ needs }: ResolvedPolicy): string[] {
  const { window, columns, input, rawQueries, rotary, constants = {} } = needs
  const names = Object.keys(columns)
  const ringBytes = (window ?? 0) * shape.queryHeads * shape.headDim * dtypeBytes('f32')
  return [
    ...(window === undefined
      ? []
      : [`queries of the last ${window} tokens (${(ringBytes / 1024).toFixed(0)} KiB per layer)`]),
    ...(names.length > 0 ? [`columns ${code(names)} (${4 * names.length} B per slot and head)`] : []),
    ...names.filter((name) => name in signalCosts).map((name) => `for \`${name}\`: ${signalCosts[name]}`),
    ...(input ? ['the input of the layer of each new token'] : []),
    ...(rawQueries ? ['the queries of the prompt before rotation, while it is read'] : []),
    ...(rotary ? ['the frequencies of the rotary embedding'] : []),
    ...Object.values(constants).map(({ tensor, shape: size }) => constantLine(tensor, size)),
  ]
}

function costLine(policy: ResolvedPolicy, when: When): string {
  const { rating, flops, writing, writingFlops } = workOf(policy, when)
  const { eviction } = policy
  const inAttention =
    when === 'decode' &&
    eviction?.score.kind === 'slot' &&
    eviction.transforms.length === 0 &&
    eviction.shares === undefined &&
    !eviction.ordered
  const parts = [
    eviction?.score.kind === 'host' ? 'a function in TypeScript' : code(rating),
    ...(flops > 0 ? [flopText(flops)] : ['a few operations per slot']),
    ...(writing.length > 0 ? [`per token written ${code(writing)}${leastShown(writingFlops)}`] : []),
    ...(eviction?.shares ? [sharesCost(eviction.shares)] : []),
    ...(inAttention ? ['in exact mode found by attention on its way'] : []),
  ]
  return parts.join('; ')
}

const pipe = (text: string): string => text.replaceAll('|', '\\|')

/** Whether an option is as for every other policy, and said once at the top. */
function isOrdinary(name: string, option: Policy['options'][string]): boolean {
  if (name === 'positions') return option.default === 'keep'
  return name === 'when' && option.type === 'choice' && option.choices.length === 1
}

function optionTable({ options }: Policy): string[] {
  const shown = Object.entries(options).filter(([name, option]) => !isOrdinary(name, option))
  if (shown.length === 0) return []
  const rows = shown.map(([name, option]) => {
    const fallback = typeof option.default === 'function' ? 'see right' : `\`${option.default}\``
    const doc = name === 'when' || name === 'positions' ? 'see above' : option.doc
    const kind = option.type === 'choice' ? option.choices.join(', ') : option.type
    return `| \`${name}\` | ${kind} | ${fallback} | ${pipe(doc)} |`
  })
  return ['| option | values | default | |', '|---|---|---|---|', ...rows, '']
}

function presetText(policy: Policy, { name, options, cache = {}, note }: Preset): string {
  const given = Object.entries(options).map(([option, value]) => `${option}=${value}`)
  const spelled = given.length > 0 ? `${policy.name}:${given.join(',')}` : policy.name
  const flags = Object.entries(cache).map(([flag, value]) =>
    value === true ? `--${flag}` : `--${flag} ${value}`,
  )
  const run = flags.length > 0 ? `, \`${flags.join(' ')}\`` : ''
  return `- ${name}: \`${spelled}\`${run}${note ? ` (${note})` : ''}`
}

function whensOf({ options }: Policy): When[] {
  const { when } = options
  return when?.type === 'choice' ? ([...when.choices] as When[]) : ['decode']
}

function section(policy: Policy): string {
  const resolved = whensOf(policy).map((when) => {
    const choice = { policy, options: { when }, budget, mode: { mode: 'buffered', buffer }, shape } as const
    return { when, policy: resolvePolicy(choice) }
  })
  const evicts = resolved.some((entry) => entry.policy.eviction)
  const byPhase = (line: (policy: ResolvedPolicy, when: When) => string): string[] => {
    const texts = resolved.map((entry) => line(entry.policy, entry.when))
    if (new Set(texts).size === 1) return [texts[0]!]
    return resolved.map(({ when }, i) => `when=${when}: ${texts[i]}`)
  }
  const needs = byPhase((entry) => needLines(entry).join('; ') || 'keys, values and positions only')
  const costs = byPhase((entry, when) => costLine(entry, when))
  return [
    `## ${policy.name}`,
    '',
    `**Score** ${policy.formula}`,
    '',
    `**Source** ${policy.source}`,
    '',
    ...(evicts
      ? [
          `**Evicts** ${policy.phases.map((phase) => phaseWords[phase]).join('; ')}`,
          '',
          ...needs.map((line) => `**Needs** ${line}\n`),
          ...costs.map((line) => `**Cost of a cut** ${line}\n`),
        ]
      : []),
    ...optionTable(policy),
    ...(policy.presets.length > 0
      ? ['**Presets**', '', ...policy.presets.map((preset) => presetText(policy, preset))]
      : []),
  ]
    .join('\n')
    .trimEnd()
}

/** The page of all built-in policies, from their definitions and parts. */
export function policyPage(): string {
  const intro = [
    '# Policies',
    '',
    '<!-- Written by `pnpm --filter @trimkv/cache run page` from the definitions; do not edit. -->',
    '',
    'The built-in policies: larger scores stay, of equal ones the newer token. What a letter means is in',
    '[notation.md](notation.md), how to write one in [add-policy.md](add-policy.md).',
    '',
    `Costs are those of one layer of a model with ${shape.queryHeads} query heads, ${shape.kvHeads} key/value heads of ${shape.headDim} and a hidden size of ${shape.hiddenSize}: a cut`,
    `while decoding rates ${budget + buffer} slots per head, one after the prompt ${prompt}. They are counted from the tensor ops that a`,
    'policy calls; ops without a number take a few operations per slot. What a policy does not need is neither computed nor stored.',
    '',
    'Options of every policy:',
    '',
    ...['when', 'positions'].map((name) => `- \`${name}\` ${policies.streaming.options[name]!.doc}`),
    '',
    '`slot` is refused where heads keep different numbers of tokens, and while decoding where queries are remembered.',
    '',
    'Presets are the options under which papers and repositories run a policy, and the flags of `trimkv generate` that go with them;',
    'what still differs stands in brackets.',
  ]
  return `${[intro.join('\n'), ...Object.values(policies).map(section)].join('\n\n').replaceAll('\n\n\n', '\n\n')}\n`
}
