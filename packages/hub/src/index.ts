export type { DownloadedModel } from './cached-model.ts'
export {
  type CacheOptions,
  type DownloadOptions,
  type DownloadProgress,
  downloadModel,
  findDownloaded,
} from './download-model.ts'
export { type FileChoice, gateFiles, modelFiles } from './file-choice.ts'
export { type Environment, hasHubToken, hubCacheDir, isHubOffline } from './hub-settings.ts'
export type { Patience } from './retries.ts'
