import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { type Policy, parsePolicy } from '@trimkv/cache'
import type { PolicyInput } from '@trimkv/engine'
import { fail, TrimError } from '@trimkv/tensor'

const file = /^(?<path>.+\.[cm]?[jt]s)(?::(?<options>.*))?$/

const isPolicy = (value: unknown): value is Policy =>
  typeof value === 'object' &&
  value !== null &&
  'name' in value &&
  typeof value.name === 'string' &&
  'parts' in value &&
  typeof value.parts === 'function' &&
  'options' in value

/** Lets a policy file import `@trimkv/cache` from a folder where it is not installed. */
function cachePackage(): Record<string, string> {
  try {
    return { '@trimkv/cache': createRequire(import.meta.url).resolve('@trimkv/cache') }
  } catch {
    return {}
  }
}

async function importModule(path: string): Promise<Record<string, unknown>> {
  const { createJiti } = await import('jiti')
  try {
    return await createJiti(import.meta.url, { alias: cachePackage(), interopDefault: false }).import(path)
  } catch (cause) {
    if (TrimError.isInstance(cause)) throw cause
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)
    const missing = /^Cannot find module/.test(reason)
    return fail(
      missing ? 'TRIMKV_NOT_FOUND' : 'TRIMKV_POLICY_CONTRACT',
      `The policy file ${path} cannot be loaded`,
      {
        why: [reason],
        details: { path },
        cause,
      },
    )
  }
}

/**
 * Loads a policy from a JavaScript or TypeScript file: its default export, or the one export that is a policy.
 * The file runs with the rights of this process, so load only your own.
 * @throws TRIMKV_NOT_FOUND, TRIMKV_POLICY_CONTRACT when it exports no policy or several
 */
export async function loadPolicyFile(path: string): Promise<Policy> {
  const exported = await importModule(resolve(path))
  const found = isPolicy(exported.default) ? [exported.default] : Object.values(exported).filter(isPolicy)
  const [policy] = found
  if (found.length === 1 && policy) return policy
  return fail(
    'TRIMKV_POLICY_CONTRACT',
    `${path} exports ${found.length === 0 ? 'no policy' : `${found.length} policies`}`,
    {
      why: [`its exports are ${Object.keys(exported).join(', ') || 'none'}`],
      hint: 'export one result of definePolicy, as default or by name',
      details: { path },
    },
  )
}

/**
 * A policy as written on a command line: `snapkv`, `snapkv:window=8,kernel=7`, `./mine.ts` or `./mine.ts:decay=0.9`.
 * @throws as {@link loadPolicyFile}; TRIMKV_OPTION for an unknown name or option
 */
export async function readPolicy(text: string): Promise<PolicyInput> {
  const { path, options } = file.exec(text.trim())?.groups ?? {}
  if (path === undefined) return parsePolicy(text)
  const policy = await loadPolicyFile(path)
  return options ? parsePolicy(`${policy.name}:${options}`, { [policy.name]: policy }) : policy
}

/** Cuts `full,snapkv:window=8,kernel=7,./mine.ts` into policies: a part with `=` and no name belongs to the one before. */
export function splitPolicies(list: string): string[] {
  const policies: string[] = []
  for (const part of list.split(',')) {
    if (/^[^:]+=/.test(part) && policies.length > 0) policies[policies.length - 1] += `,${part}`
    else policies.push(part.trim())
  }
  return policies.filter((policy) => policy !== '')
}
