export { type FileContent, makeFolder, writeAtomically } from './atomic-write.ts'
export { type ChatMessage, type ChatOptions, type ChatTemplate, loadChatTemplate } from './chat-template.ts'
export { type FileReader, openFileReader } from './file-reader.ts'
export {
  type GateKind,
  type GatesCheckpoint,
  type GatesConfig,
  gateFiles,
  gateKinds,
  openGates,
  readGatesConfig,
} from './gates-checkpoint.ts'
export { type GenerationConfig, readGenerationConfig } from './generation-config.ts'
export { openGguf } from './gguf/gguf.ts'
export type { JsonObject } from './json-file.ts'
export { type ModelConfig, type ModelFamily, parseModelConfig, readModelConfig } from './model-config.ts'
export { type ModelSource, openModelFolder } from './model-source.ts'
export {
  isOfEarlierBoot,
  isOfThisSpace,
  isRunning,
  type LockOwner,
  ownProcess,
  type ProcessOwner,
  parseLockOwner,
} from './process-owner.ts'
export { readTensorBytes, readTensorData, readTensorIntegers } from './read-tensor.ts'
export type { RopeConfig } from './rope-config.ts'
export { openCheckpoint, openSafetensors } from './safetensors.ts'
export {
  openSealedSafetensors,
  type SealedFile,
  type TensorOnDemand,
  writeSealedSafetensors,
} from './sealed-safetensors.ts'
export type { FileDtype, TensorEntry, TensorListing } from './tensor-listing.ts'
export type { TensorsToWrite, TensorToStream, TensorToWrite } from './tensor-to-write.ts'
export type { DecodeOptions, StreamDecoder, TokenText } from './token-text.ts'
export { type EncodeOptions, loadTokenizer, type Tokenizer } from './tokenizer.ts'
export { openTorchFile } from './torch-file.ts'
export { removeAbandoned, unfinishedPath } from './unfinished-files.ts'
export { isStoredInPlace, quantisedPieces, readStored, storedPieces } from './weight-rows.ts'
export { type FilesToWrite, modelFilesIn, writeFolder, writeModelFolder } from './write-folder.ts'
export { type GatesToWrite, writeGates, writeTorchGates } from './write-gates.ts'
export { type ModelToWrite, writeModel } from './write-model.ts'
export { safetensorsPieces, writeSafetensors } from './write-safetensors.ts'
export { writeTorchFile } from './write-torch-file.ts'
