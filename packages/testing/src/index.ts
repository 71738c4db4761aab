export { type Closeness, closeness, relativeError } from './closeness.ts'
export { FieldBytes } from './fuzz/field-bytes.ts'
export { type FuzzCase, type FuzzTarget, fuzzTarget, pick } from './fuzz/fuzz-target.ts'
export { mutateBytes } from './fuzz/mutate-bytes.ts'
export { mutateJson } from './fuzz/mutate-json.ts'
export {
  type GgufFormat,
  type GgufTensor,
  type GgufValue,
  ggufFormats,
  writeGguf,
} from './models/gguf-writer.ts'
export { ggufMetadata } from './models/model-metadata.ts'
export { type ModelShape, type ModelVariant, modelParameters } from './models/model-parameters.ts'
export { type RandomModel, randomModel } from './models/random-model.ts'
export { type SeededRandom, seededRandom } from './seeded-random.ts'
export { type CloseBounds, toBeClose } from './to-be-close.ts'
