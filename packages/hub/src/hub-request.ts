import { fail, TrimError } from '@trimkv/tensor'
import { type Attempt, type Patience, withRetries } from './retries.ts'
import { refusedAnswer, retryAfterMs, shownUrl } from './server-answer.ts'

/** A server and how it is asked. */
export interface Hub {
  readonly endpoint: string
  readonly token: string | undefined
  readonly patience: Patience
}

export interface HubRequest {
  readonly method?: 'GET' | 'HEAD'
  /** Path and query below the endpoint, encoded. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** What is asked for, for messages. */
  readonly what: string
  readonly signal: AbortSignal
}

/** An answer and all answers before it that led there. */
export interface Answer {
  readonly hops: readonly Response[]
  /** The last of the hops. */
  readonly response: Response
  /** Whether a redirect led to another host. */
  readonly isElsewhere: boolean
  /** The body of `response`, piece by piece, to be read once. The connection counts as lost when nothing comes for a while. */
  readonly chunks: AsyncIterable<Uint8Array>
}

const mostRedirects = 10

/**
 * Asks once and hands the answer to `read`; what breaks on the way is to be tried again.
 * The token goes to the endpoint alone, whatever a redirect says.
 */
export async function attemptRequest<T>(
  hub: Hub,
  request: HubRequest,
  read: (answer: Answer) => Promise<Attempt<T>>,
): Promise<Attempt<T>> {
  const { signal, what } = request
  const idle = new AbortController()
  const { idleMs } = hub.patience
  const timer = setTimeout(() => idle.abort(new Error(`nothing came for ${idleMs / 1000} s`)), idleMs)
  const either = AbortSignal.any([signal, idle.signal])
  try {
    const answer = await follow(hub, request, either)
    const { status, ok, headers, body } = answer.response
    const full = {
      ...answer,
      chunks: chunksOf(body, { signal: either, onChunk: () => void timer.refresh() }),
    }
    const isRedirect = status >= 300 && status < 400
    if (ok || status === 416 || (isRedirect && answer.isElsewhere)) return await read(full)
    const again = await refusedAnswer({ ...answer, hub, what })
    return { again, afterMs: retryAfterMs(headers) }
  } catch (error) {
    signal.throwIfAborted()
    if (TrimError.isInstance(error)) throw error
    return {
      again: idle.signal.aborted ? (idle.signal.reason as Error).message : networkReason(error),
      cause: error,
    }
  } finally {
    clearTimeout(timer)
    // Whatever was not read is not wanted: the connection must not wait for it.
    idle.abort()
  }
}

/** As {@link attemptRequest}, until it is answered. */
export const request = <T>(
  hub: Hub,
  asked: HubRequest,
  read: (answer: Answer) => Promise<Attempt<T>>,
): Promise<T> =>
  withRetries({
    what: asked.what,
    patience: hub.patience,
    signal: asked.signal,
    attempt: () => attemptRequest(hub, asked, read),
  })

/**
 * Pieces of a body. In Node 20 a read that waits when the signal is aborted may never end by itself, so the reader is told too.
 * @throws the reason of the signal
 */
async function* chunksOf(
  body: Response['body'],
  { signal, onChunk }: { readonly signal: AbortSignal; readonly onChunk: () => void },
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body?.getReader()
  if (!reader) return
  const stop = (): void => void reader.cancel().catch(() => undefined)
  signal.addEventListener('abort', stop)
  try {
    for (;;) {
      signal.throwIfAborted()
      const { done, value } = await reader.read()
      signal.throwIfAborted()
      if (done) return
      onChunk()
      yield value
    }
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

/** Follows redirects; those to another host only when the content is wanted. */
async function follow(hub: Hub, asked: HubRequest, signal: AbortSignal): Promise<Omit<Answer, 'chunks'>> {
  const { method = 'GET', path, headers } = asked
  const base = new URL(hub.endpoint)
  const hops: Response[] = []
  let url = new URL(`${hub.endpoint}${path}`)
  for (;;) {
    const authorization = hub.token !== undefined && url.origin === base.origin
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      signal,
      headers: {
        ...headers,
        'user-agent': 'trimkv',
        // Ranges and sizes count the bytes of the file as it is.
        'accept-encoding': 'identity',
        ...(authorization && { authorization: `Bearer ${hub.token}` }),
      },
    })
    hops.push(response)
    const isElsewhere = url.origin !== base.origin
    const target = redirectTarget(response, url)
    if (!target) return { hops, response, isElsewhere }
    if (hops.length > mostRedirects) redirected(asked.what, `more than ${mostRedirects} times`)
    if (target.protocol !== 'https:' && target.protocol !== 'http:') redirected(asked.what, shownUrl(target))
    if (method === 'HEAD' && target.origin !== base.origin) return { hops, response, isElsewhere: true }
    await response.body?.cancel()
    url = target
  }
}

function redirectTarget({ status, headers }: Response, from: URL): URL | undefined {
  const location = headers.get('location')
  const isRedirect = [301, 302, 303, 307, 308].includes(status)
  return isRedirect && location !== null && URL.canParse(location, from.href)
    ? new URL(location, from)
    : undefined
}

const redirected = (what: string, where: string): never =>
  fail('TRIMKV_FORMAT', `${what} failed`, {
    why: [`the server redirects: ${where}`],
    hint: 'check HF_ENDPOINT',
  })

/** The reason that fetch hides in its cause. */
function networkReason(error: unknown): string {
  const { message, cause } = error as Error
  const inner = cause as NodeJS.ErrnoException | undefined
  const reason = inner?.code ?? inner?.message
  return reason === undefined ? message : `${message} (${reason})`
}
