export { type CeilingProbe, type Ceilings, createCeilingProbe } from './ceilings.ts'
export { createDevice, type Device, type DeviceOptions } from './device.ts'
export { type DType, dtypeBytes, dtypes, elementCount, type TensorSpec } from './dtype.ts'
export { type ErrorCode, type ErrorParts, fail, TrimError } from './errors.ts'
export type { FileMapping } from './file-mapping.ts'
export type { AnyGradient, Gradient, GradientCall, OutputGrads } from './gradient.ts'
export { type Isa, supportedIsas } from './native-device.ts'
export type { AnyOp, OpCost } from './op.ts'
export type { HeadFloor } from './ops/allot-slots/allot-slots.ts'
export { type GradientTable, gradients } from './ops/gradients.ts'
export { type OpTable, opTable } from './ops/index.ts'
export { contiguousStrides, isContiguous, type Ops, type TensorLike, type ViewOps } from './ops.ts'
export type { Program } from './program.ts'
export {
  dequantise,
  isQuantised,
  packQuantised,
  type QuantisedDType,
  type QuantisedRun,
  type QuantisedSpec,
  quantise,
  quantisedActivations,
  quantisedBytes,
  quantisedDepth,
  quantisedRows,
} from './quantised.ts'
export { type RefTensor, referenceOps, refTensor } from './reference-backend.ts'
export { scope } from './scope.ts'
export { countingOps, shapeOnly } from './shapes-backend.ts'
export type { ProtectedRange, SlotScore } from './slot-score.ts'
export type { Tensor } from './tensor.ts'
