import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

const setIn = (env: Environment, name: string): string | undefined => env[name] || undefined

const huggingFaceHome = (env: Environment): string =>
  setIn(env, 'HF_HOME') ?? join(setIn(env, 'XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'huggingface')

/**
 * The folder where Hugging Face tools keep downloaded models.
 * @see https://huggingface.co/docs/hub/local-cache
 */
export const hubCacheDir = (env: Environment): string =>
  setIn(env, 'HF_HUB_CACHE') ?? setIn(env, 'HUGGINGFACE_HUB_CACHE') ?? join(huggingFaceHome(env), 'hub')

/** Whether a Hugging Face token is configured; its value is never looked at. */
export const hasHubToken = (env: Environment): boolean =>
  setIn(env, 'HF_TOKEN') !== undefined || existsSync(join(huggingFaceHome(env), 'token'))

/**
 * A model folder: a path as it is, else `org/name` or `org/name@revision` that Hugging Face tools have downloaded before.
 * Nothing is fetched.
 */
export function modelFolder(model: string, env: Environment): string {
  if (existsSync(model)) return model
  const [, org, name, revision = 'main'] = /^([\w.-]+)\/([\w.-]+)(?:@([\w./-]+))?$/.exec(model) ?? []
  if (!org || !name) return model
  const root = join(hubCacheDir(env), `models--${org}--${name}`)
  const ref = join(root, 'refs', revision)
  const commit = existsSync(ref) ? readFileSync(ref, 'utf8').trim() : revision
  const snapshot = join(root, 'snapshots', commit)
  return existsSync(snapshot) ? snapshot : model
}
