export type { Batch } from './batch.ts'
export type { Document } from './data/document.ts'
export { encodeRecord, type LeftOut, type RecordForm, type RecordOptions } from './data/encode-record.ts'
export { batchesPerEpoch, type JsonlOptions, type JsonlSource, jsonlSource } from './data/jsonl-source.ts'
export type { Part, Split } from './data/split.ts'
export { type TaskSourceOptions, taskSource } from './data/task-source.ts'
export type { CopyEntry, Drawn, TaskEntry, TaskStage } from './data/task-stage.ts'
export type { DataSource } from './data-source.ts'
export type { JsonValue } from './json-value.ts'
export { type GateRecipe, gateRecipes } from './recipes/gate-recipe.ts'
export { referenceGateRecipe, referenceGateStages } from './recipes/reference.ts'
export { type ReferenceRequest, trainReferenceGates, trainReferenceModel } from './recipes/reference-run.ts'
export { type FrozenModel, type RunRequest, trainGates } from './recipes/train-gates.ts'
export { type ModelRecipe, type ModelRunRequest, trainModel } from './recipes/train-model.ts'
export type { Best } from './run/checkpoint.ts'
export { discardRun } from './run/discard-run.ts'
export type { LearningRateSchedule } from './run/learning-rate.ts'
export type { Metrics, StepMetrics, ValidationMetrics } from './run/metrics-log.ts'
export { type RunFiles, runFiles } from './run/run-files.ts'
export { type TrainRequest, type TrainResult, train } from './run/train.ts'
export type { TrainEvent } from './run/train-event.ts'
export type { BestRule, TrainOptions, ValidationOptions } from './run/train-options.ts'
export { type CreateTrainableOptions, createTrainable, type LearnedWeight } from './step/create-trainable.ts'
export {
  type InitialGates,
  type InitialValues,
  type InitialWeights,
  initialGates,
  initialWeights,
} from './step/initial-values.ts'
export type { CapacityLoss, Losses } from './step/losses.ts'
export type { LossTerms, Parameter, Trainable } from './trainable.ts'
