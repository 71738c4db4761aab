import { generate } from '../generate/generate.ts'
import type { GenerateOptions } from '../generate/generate-options.ts'
import type { KeptSets } from '../generate/kept-sets.ts'
import { type Prompt, promptIds, tokenizerIfAny } from '../generate/prompt.ts'
import { type Usage, usageOf } from '../generate/usage.ts'
import type { Model } from '../load-model.ts'
import type { PolicyInput } from '../session/cache-options.ts'
import { createSession } from '../session/create-session.ts'
import { allowedNewTokens } from '../session/sequence-length.ts'
import { greedySteps } from './greedy-steps.ts'

/** The policies to compare, and how each run is cached and sampled. */
export interface CompareOptions
  extends Omit<GenerateOptions, 'policy' | 'trace' | 'keptSets' | 'pinSystem' | 'prefix'> {
  /** Beside `full`, which always runs first: it is what the others are measured against. */
  readonly policies: readonly PolicyInput[]
  /** Make every policy read the answer of `full`, so that the caches stay comparable. */
  readonly forceReference?: boolean
}

/** One policy on the prompt. */
export interface ComparedRun {
  readonly label: string
  /** What this policy answered; when the reference is forced, its most likely token at each step. */
  readonly ids: readonly number[]
  readonly text: string
  readonly usage: Usage
  /** What each head keeps at the end. */
  readonly kept: KeptSets
  /**
   * Share of the reference answer that is the same: up to the first difference, or of all steps when the reference is
   * forced. 0 … 1
   */
  readonly agreement: number
}

/** One policy beside the full cache on the same prompt. */
export interface Comparison {
  readonly promptIds: readonly number[]
  readonly reference: ComparedRun
  readonly run: ComparedRun
}

/** `snapkv`, or `snapkv:window=8` where options are given. */
function labelOf(policy: PolicyInput): string {
  if (typeof policy === 'string') return policy
  if ('parts' in policy) return policy.name
  const options = Object.entries(policy.options).map(([name, value]) => `${name}=${value}`)
  return options.length > 0 ? `${policy.policy.name}:${options.join(',')}` : policy.policy.name
}

/** Length of the common beginning over the length of the reference. */
function commonShare(ids: readonly number[], reference: readonly number[]): number {
  const different = reference.findIndex((id, at) => ids[at] !== id)
  return (different < 0 ? reference.length : different) / reference.length
}

const equalShare = (ids: readonly number[], reference: readonly number[]): number =>
  reference.filter((id, at) => ids[at] === id).length / reference.length

async function freeRun(
  model: Model,
  ids: readonly number[],
  options: GenerateOptions,
): Promise<Omit<ComparedRun, 'label' | 'agreement'>> {
  const done = await generate(model, { ids }, { ...options, keptSets: true }).result()
  return { ids: done.ids, text: done.text, usage: done.usage, kept: done.kept! }
}

/** Reads the reference answer and notes what this policy would have said at each step. */
async function forcedRun(
  model: Model,
  { ids, reference }: { ids: readonly number[]; reference: readonly number[] },
  options: GenerateOptions,
): Promise<Omit<ComparedRun, 'label' | 'agreement'>> {
  const steps = reference.length
  const { maxNewTokens } = options
  const maxTokens =
    ids.length + allowedNewTokens(model.spec, { promptTokens: ids.length, maxNewTokens }, options)
  using session = createSession(model, options, { batch: 1, maxTokens })
  let [prefillMs, decodeMs] = [0, 0]
  const said: number[] = []
  for await (const { output, result } of greedySteps(session, {
    ids,
    steps,
    force: reference,
    signal: options.signal,
  })) {
    if (said.length === 0) prefillMs += result.ms
    else decodeMs += result.ms
    if (output) said.push(output.id)
  }
  const tokenizer = await tokenizerIfAny(model)
  return {
    ids: said,
    text: tokenizer?.decode(said, { skipSpecialTokens: true }) ?? '',
    kept: session.cache.positions(0),
    usage: usageOf(session, {
      promptTokens: ids.length,
      reusedTokens: 0,
      newTokens: steps,
      prefillMs,
      decodeMs,
    }),
  }
}

/**
 * The same prompt under several cache policies, one after the other; the first run is `full`.
 * @throws as `generate`
 */
export async function* compare(
  model: Model,
  prompt: Prompt,
  options: CompareOptions,
): AsyncGenerator<Comparison> {
  const { policies, forceReference = false, ...shared } = options
  const ids = await promptIds(model, prompt)
  const reference: ComparedRun = {
    label: 'full',
    ...(await freeRun(model, ids, { ...shared, policy: 'full' })),
    agreement: 1,
  }
  yield { promptIds: ids, reference, run: reference }
  for (const policy of policies) {
    const label = labelOf(policy)
    if (label === 'full') continue
    const run = forceReference
      ? await forcedRun(model, { ids, reference: reference.ids }, { ...shared, policy })
      : await freeRun(model, ids, { ...shared, policy })
    const agreement = (forceReference ? equalShare : commonShare)(run.ids, reference.ids)
    yield { promptIds: ids, reference, run: { label, ...run, agreement } }
  }
}
