export { type CacheMetadata, cacheMetadata } from './cache-metadata.ts'
export { languageModel } from './language-model.ts'
export {
  createTrimkv,
  type TrimkvModelOptions,
  type TrimkvProvider,
  type TrimkvProviderOptions,
} from './provider.ts'
export type { TrimkvSettings } from './settings.ts'
