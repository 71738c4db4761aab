export { type ChatOptions, ChatSession, type RestoreChatOptions } from './chat/chat-session.ts'
export {
  type QuantisedModel,
  type QuantiseOptions,
  type QuantiseProgress,
  quantiseModel,
} from './convert/quantise-model.ts'
export type {
  BatchEvent,
  DoneEvent,
  EvictEvent,
  FinishReason,
  GenerateEvent,
  HeadEviction,
  PrefillEvent,
  Reread,
  TokenEvent,
} from './generate/events.ts'
export { type Generation, generate } from './generate/generate.ts'
export { generateBatch } from './generate/generate-batch.ts'
export type { GenerateOptions } from './generate/generate-options.ts'
export {
  type BestOf,
  bestOf,
  generateSamples,
  type Sample,
  type SamplesOptions,
} from './generate/generate-samples.ts'
export { evictedBetween, type HeadChoice, type KeptSets, mostTellingHead } from './generate/kept-sets.ts'
export { type Prompt, promptIds } from './generate/prompt.ts'
export type { Usage } from './generate/usage.ts'
export { type LoadModelOptions, type LoadProgress, loadModel, type Model } from './load-model.ts'
export { openModel } from './open-model.ts'
export { loadPrefix, Prefix, type PrefixOptions, readPrefix } from './prefix/prefix.ts'
export { stableIds, systemTokens } from './prefix/stable-ids.ts'
export { type ComparedRun, type CompareOptions, type Comparison, compare } from './runs/compare.ts'
export { type GreedyStep, greedySteps, type StepsRequest } from './runs/greedy-steps.ts'
export { type QueryFilterOptions, type QueryFilters, queryFilters } from './runs/query-filters.ts'
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
export { copySequence, type ForkSize, forkSession, type SessionSeat } from './session/copy-sequence.ts'
export { createSession, type SessionSize } from './session/create-session.ts'
export {
  DecoderSession,
  type ForwardOutput,
  type ForwardRequest,
  type ForwardResult,
  type SessionOptions,
} from './session/decoder-session.ts'
export type { ModelFingerprint } from './session/model-fingerprint.ts'
export { defaultChunk, type PrefillRequest, type PrefillStep, prefill } from './session/prefill.ts'
export { defaultMaxNewTokens } from './session/sequence-length.ts'
export {
  type RestoredSession,
  type RestoreOptions,
  restoreSession,
  type SessionContent,
  saveSession,
} from './session/session-file.ts'
export { readSessionHeader, type SessionHeader } from './session/session-header.ts'
export { type CacheReport, cacheReport, type Meter, meterOf } from './session/session-report.ts'
