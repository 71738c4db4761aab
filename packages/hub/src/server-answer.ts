import { fail } from '@trimkv/tensor'

/** Without what a signed address carries in its query. */
export const shownUrl = ({ protocol, host, pathname }: URL): string => `${protocol}//${host}${pathname}`

/** What the header `Retry-After` asks for, in seconds or as a date. */
export function retryAfterMs(headers: Headers): number | undefined {
  const text = headers.get('retry-after')
  if (text === null) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isFinite(ms) && ms > 0 ? ms : undefined
}

const temporary = [408, 425, 429]

interface Refused {
  readonly response: Response
  /** Whether it comes from another host than the hub. */
  readonly isElsewhere: boolean
  readonly hub: { readonly endpoint: string; readonly token: string | undefined }
  /** What was asked for. */
  readonly what: string
}

/**
 * Why an answer that is no success should be tried again.
 * @throws TrimError when it should not: `TRIMKV_ACCESS`, `TRIMKV_NOT_FOUND` or `TRIMKV_NETWORK`
 */
export async function refusedAnswer({ response, isElsewhere, hub, what }: Refused): Promise<string> {
  const { status, headers, url } = response
  const answered = `${new URL(url).host} answered ${status}`
  await response.body?.cancel()
  // A signed address that has expired; the next attempt gets a new one.
  if (isElsewhere || status >= 500 || temporary.includes(status)) return answered
  const said = headers
    .get('x-error-message')
    ?.replace(/[^\x20-\x7e]/g, ' ')
    .slice(0, 300)
  const why = [answered, ...(said ? [said] : [])]
  const details = { status, url: shownUrl(new URL(url)) }
  if (status === 404) return notFound(headers, { what, why, details })
  if (status === 401 || status === 403) {
    const hint =
      hub.token === undefined
        ? 'check the name; for a private or gated repository set HF_TOKEN'
        : `check the name, that the token may read it, and on ${hub.endpoint} whether its terms have to be accepted`
    fail('TRIMKV_ACCESS', `${what} is refused`, { why, hint, details })
  }
  return fail('TRIMKV_NETWORK', `${what} failed`, { why, hint: 'check HF_ENDPOINT', details })
}

interface Parts {
  readonly what: string
  readonly why: readonly string[]
  readonly details: Readonly<Record<string, unknown>>
}

/** What is missing, and what to do, by what the hub says of it. */
const missing: Readonly<Record<string, readonly [string, string]>> = {
  RepoNotFound: ['model', 'check the name of the model'],
  RevisionNotFound: ['revision', 'check the revision: a branch, tag or full commit'],
  EntryNotFound: ['file', 'choose a revision that has it'],
}

function notFound(headers: Headers, { what, why, details }: Parts): never {
  const reason = headers.get('x-error-code') ?? ''
  const [thing, hint] = missing[reason] ?? ['model or revision', 'check the name and the revision']
  return fail('TRIMKV_NOT_FOUND', `${what} failed: the server has no such ${thing}`, { why, hint, details })
}
