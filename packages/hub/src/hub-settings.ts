import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fail } from '@trimkv/tensor'

/** Variables of a process, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

const setIn = (env: Environment, name: string): string | undefined => env[name] || undefined

const huggingFaceHome = (env: Environment): string =>
  setIn(env, 'HF_HOME') ?? join(setIn(env, 'XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'huggingface')

const tokenFile = (env: Environment): string => join(huggingFaceHome(env), 'token')

/**
 * The folder where Hugging Face tools keep downloaded models.
 * @see https://huggingface.co/docs/hub/local-cache
 */
export const hubCacheDir = (env: Environment): string =>
  setIn(env, 'HF_HUB_CACHE') ?? setIn(env, 'HUGGINGFACE_HUB_CACHE') ?? join(huggingFaceHome(env), 'hub')

/** Whether a Hugging Face token is configured; its value is never looked at. */
export const hasHubToken = (env: Environment): boolean =>
  setIn(env, 'HF_TOKEN') !== undefined || existsSync(tokenFile(env))

/** Whether the variables forbid to ask the network. */
export const isHubOffline = (env: Environment): boolean =>
  ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'].some((name) => /^(1|on|yes|true)$/i.test(env[name] ?? ''))

/** The server to ask: `HF_ENDPOINT`, such as a mirror, or the Hugging Face hub. */
export const hubEndpoint = (env: Environment): string => setIn(env, 'HF_ENDPOINT') ?? 'https://huggingface.co'

/** `HF_TOKEN`, or what the token file of the Hugging Face tools holds. */
export function hubToken(env: Environment): string | undefined {
  const file = tokenFile(env)
  const text = setIn(env, 'HF_TOKEN') ?? (existsSync(file) ? readTokenFile(file) : '')
  return text.trim() || undefined
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    return fail('TRIMKV_IO', `${file} cannot be read`, {
      why: [(cause as Error).message],
      hint: 'make the token file readable, or set HF_TOKEN',
      details: { file },
      cause,
    })
  }
}
