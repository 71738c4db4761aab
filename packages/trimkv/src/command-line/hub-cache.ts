import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment, hubCacheDir } from '@trimkv/hub'

/** A repository of the Hugging Face hub. */
export interface HubName {
  /** `org/name`. */
  readonly repo: string
  readonly revision: string
}

/** What `org/name` or `org/name@revision` stands for; undefined for everything that can only be a path. */
export function hubName(text: string): HubName | undefined {
  const [, repo, revision = 'main'] = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w./-]+))?$/.exec(text) ?? []
  return repo === undefined ? undefined : { repo, revision }
}

/**
 * A model folder: a path as it is, else `org/name` or `org/name@revision` that Hugging Face tools have downloaded before.
 * Nothing is fetched.
 */
export function modelFolder(model: string, env: Environment): string {
  const named = hubName(model)
  if (existsSync(model) || !named) return model
  const root = join(hubCacheDir(env), `models--${named.repo.replace('/', '--')}`)
  const ref = join(root, 'refs', named.revision)
  const commit = existsSync(ref) ? readFileSync(ref, 'utf8').trim() : named.revision
  const snapshot = join(root, 'snapshots', commit)
  return existsSync(snapshot) ? snapshot : model
}
