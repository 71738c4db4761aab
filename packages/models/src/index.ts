export { bindWeights, storedWeights } from './decoder/bind-weights.ts'
export {
  type Decoder,
  type DecoderInputs,
  type DecoderResult,
  type DecoderRun,
  decoderForward,
  decoderLogits,
} from './decoder/decoder-forward.ts'
export type { DecoderSpec } from './decoder/decoder-spec.ts'
export {
  type DecoderWeights,
  type LayerWeights,
  mapWeights,
  type Projection,
  type StoredWeight,
} from './decoder/decoder-weights.ts'
export { type RopeParameters, ropeParameters } from './decoder/rope-parameters.ts'
export { type FamilyTraits, specFromTraits } from './decoder/spec-from-traits.ts'
export type { WeightEntry, WeightSource } from './decoder/stored-weights.ts'
export { families, specOf } from './families.ts'
export {
  type BoundGates,
  bindGates,
  type GatedModel,
  type GatesRelease,
  storedGates,
} from './gates/bind-gates.ts'
export { type GateInputs, gateLogBeta, mapGate, type RetentionGate } from './gates/retention-gate.ts'
export {
  estimateMemory,
  gateParameters,
  type MemoryEstimate,
  type MemoryOptions,
  type ModelShape,
  modelShape,
} from './model-shape.ts'
