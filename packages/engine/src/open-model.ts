import { type ModelSource, openGguf, openModelFolder } from '@trimkv/io'

/** Opens a model folder, or a GGUF file, by its name. @throws as `loadModel` */
export const openModel = (path: string): Promise<ModelSource> =>
  path.endsWith('.gguf') ? openGguf(path) : openModelFolder(path)
