export { type ChatOptions, ChatSession } from './chat/chat-session.ts'
export type {
  BatchEvent,
  DoneEvent,
  EvictEvent,
  FinishReason,
  GenerateEvent,
  HeadEviction,
  PrefillEvent,
  TokenEvent,
} from './generate/events.ts'
export { type Generation, generate } from './generate/generate.ts'
export { type GenerateOptions, generateBatch } from './generate/generate-batch.ts'
export { evictedBetween, type HeadChoice, type KeptSets, mostTellingHead } from './generate/kept-sets.ts'
export { type Prompt, promptIds } from './generate/prompt.ts'
export type { Usage } from './generate/usage.ts'
export { type LoadModelOptions, type LoadProgress, loadModel, type Model } from './load-model.ts'
export { type ComparedRun, type CompareOptions, type Comparison, compare } from './runs/compare.ts'
export { type GreedyStep, greedySteps, type StepsRequest } from './runs/greedy-steps.ts'
export { type ScoreOptions, score, type TextScore } from './runs/score.ts'
export { type Trace, type TraceOptions, type TraceTensor, trace } from './runs/trace.ts'
export { createSampler, type Sampler } from './sampling/sampler.ts'
export type { SamplingOptions } from './sampling/sampling-options.ts'
export { type ChosenLogProb, type TokenLogProb, tokenLogProbs } from './sampling/token-log-probs.ts'
export {
  type BudgetContext,
  type CacheOptions,
  type CacheSettings,
  cacheShape,
  defaultBudget,
  defaultBuffer,
  type PolicyInput,
  resolveCacheOptions,
} from './session/cache-options.ts'
export { createSession } from './session/create-session.ts'
export {
  DecoderSession,
  type ForwardOutput,
  type ForwardRequest,
  type ForwardResult,
  type SessionOptions,
} from './session/decoder-session.ts'
export { defaultChunk, type PrefillRequest, type PrefillStep, prefill } from './session/prefill.ts'
export { defaultMaxNewTokens } from './session/sequence-length.ts'
export { type CacheReport, cacheReport, type Meter, meterOf } from './session/session-report.ts'
