export { type ErrorCode, type ErrorParts, fail, TrimError } from './errors.ts'
export { type DType, dtypeBytes, dtypes, elementCount, type TensorSpec } from './dtype.ts'
