import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment, findDownloaded, hubCacheDir } from '@trimkv/hub'

/** A repository of the Hugging Face hub, or a file of it. */
export interface HubName {
  /** `org/name`. */
  readonly repo: string
  readonly revision: string
  /** A GGUF file in it; undefined: the model that its files make together. */
  readonly file?: string
}

const repository = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w./-]+))?(?::(.+))?$/
/** No segment is `.` or `..`, and nothing in it has a meaning in a pattern of file names. */
const ggufFile = /^(?:(?!\.{1,2}\/)[\w.+=@ -]+\/)*[\w.+=@ -]+\.gguf$/

/** What `org/name[@revision][:file.gguf]` stands for; undefined for everything that can only be a path. */
export function hubName(text: string): HubName | undefined {
  const [, repo, revision = 'main', file] = repository.exec(text) ?? []
  if (repo === undefined || /--|\.\./.test(repo)) return undefined
  if (file === undefined) return { repo, revision }
  return ggufFile.test(file) ? { repo, revision, file } : undefined
}

/**
 * A model folder or file: a path as it is, else that of `org/name[@revision][:file.gguf]`, where Hugging Face tools have
 * downloaded it before, whole or not. Nothing is fetched.
 * @throws TrimError `TRIMKV_OPTION` when what follows `@` is no revision
 */
export async function modelFolder(model: string, env: Environment): Promise<string> {
  const named = hubName(model)
  if (existsSync(model) || !named) return model
  const { repo, revision, file } = named
  // Models and gates have a configuration; what else they need, their readers tell.
  const patterns = [file ?? 'config.json']
  const found = await findDownloaded(repo, { revision, patterns, cacheDir: hubCacheDir(env) })
  return found ? join(found.dir, file ?? '') : model
}
