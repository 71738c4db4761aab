export type { StepInputs } from './bound-cache.ts'
export type { CacheMeter } from './cache-meter.ts'
export { type CacheShape, type KvDType, kvDtypes, tokenBytes, tokenKvBytes } from './cache-shape.ts'
export type { EvictionMode } from './eviction-mode.ts'
export { type CacheNeeds, createKvCache, type KvArena, type KvCacheOptions } from './kv-arena.ts'
export type { BoundForward, ForwardNeeds, KvCache, LayerTokens } from './kv-cache.ts'
export type { HostView, LayerView, RawQueries, Rotary, SlotComputation } from './layer-view.ts'
export { nameHint } from './nearest-name.ts'
export type { ColumnWriter, ConstantSource, HostTokens, Needs, NewTokens } from './needs.ts'
export type {
  ChoiceOption,
  DefaultContext,
  GivenOptions,
  NumericOption,
  OptionSchema,
  OptionValues,
  PathOption,
  When,
} from './option-schema.ts'
export {
  type Budget,
  type BudgetBasis,
  budgetTokens,
  parseBudget,
  smallestBudgetBytes,
} from './parse-budget.ts'
export { type ParsedPolicy, parsePolicy } from './parse-policy.ts'
export { type PolicyName, type PolicyTable, policies } from './policies/index.ts'
export {
  type Allocation,
  type Attends,
  definePolicy,
  everything,
  type PerLayerBudgets,
  type Phase,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  type PolicyParts,
  type PooledBudget,
  type Positions,
  type Preset,
  type PresetCache,
  perHead,
  perLayer,
  pooled,
  uniform,
} from './policy.ts'
export { headSlots, type PolicyChoice, policyConstants, smallestBudget } from './resolved-policy.ts'
export {
  againstDirection,
  attentionMass,
  decay,
  expectedAttention,
  type HostScore,
  hostScore,
  keyDifference,
  lagDeviation,
  type OpsScore,
  opsScore,
  type PerSlotScore,
  recency,
  type Score,
  windowAttention,
  writtenScore,
} from './score.ts'
export {
  canTruncate,
  copySeatSlots,
  finishSeatCopy,
  type SeatCopy,
  type SeatHolder,
  type SeatTensor,
  type SlotCounts,
  seatTensors,
  seatToFill,
  slotCounts,
  truncateSeat,
} from './seat-image.ts'
export type { SeatRange } from './slot-set.ts'
export type { SeatState, StepPlan, StepRequest } from './step-plan.ts'
export {
  deviceStorage,
  type Storage,
  type StorageDevice,
  type StoredTensor,
} from './storage.ts'
export {
  chunkMean,
  liftProtected,
  penaliseRedundancy,
  pool,
  pooledTwoStage,
  rankWithin,
  shareHeads,
  type Transform,
  type TwoStage,
  timesValueNorm,
  twoStage,
  weighHeads,
} from './transform.ts'
