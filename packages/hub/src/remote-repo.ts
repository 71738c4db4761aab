import { fail } from '@trimkv/tensor'
import { oidIn, type RemoteFile } from './download-blob.ts'
import { type Answer, type Hub, request } from './hub-request.ts'
import { checkFileName, isCommit } from './untrusted-name.ts'

/** The largest list of files that is read. */
const mostListBytes = 32 * 1024 * 1024

const knownOid = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

interface Asked {
  readonly repo: string
  readonly signal: AbortSignal
}

/** What a repository holds at a revision. */
export interface RemoteRepo {
  readonly commit: string
  readonly names: readonly string[]
}

/**
 * Asks for the commit of a revision and the names of its files.
 * @throws TrimError `TRIMKV_FORMAT` when the answer is none, or names a file that would be written elsewhere
 */
export async function listRepo(
  hub: Hub,
  { repo, signal, revision }: Asked & { readonly revision: string },
): Promise<RemoteRepo> {
  const what = `Listing ${repo}@${revision}`
  const path = `/api/models/${repo}/revision/${encodeURIComponent(revision)}`
  const text = await request(hub, { path, what, signal }, async (answer) => ({
    done: await readText(answer, what),
  }))
  const list = parseList(text)
  if (!list) {
    return badAnswer(what, 'expected JSON with the commit (sha) and the files (siblings)')
  }
  for (const name of list.names) checkFileName(name, hub.endpoint)
  return list
}

async function readText({ chunks }: Answer, what: string): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of chunks) {
    pieces.push(piece)
    bytes += piece.length
    if (bytes > mostListBytes) badAnswer(what, `the list of files is longer than ${mostListBytes} bytes`)
  }
  return Buffer.concat(pieces).toString('utf8')
}

function parseList(text: string): RemoteRepo | undefined {
  try {
    const { sha, siblings } = JSON.parse(text) as { sha: unknown; siblings: { rfilename: unknown }[] }
    const names = siblings.map(({ rfilename }) => rfilename)
    const isWhole =
      typeof sha === 'string' && isCommit(sha) && names.every((name) => typeof name === 'string')
    return isWhole ? { commit: sha, names } : undefined
  } catch {
    return undefined
  }
}

/**
 * Asks for the hash and the size of a file, with the headers that Hugging Face tools rely on.
 * @throws TrimError `TRIMKV_FORMAT` when the server does not say them, or answers for another commit
 */
export function describeFile(
  hub: Hub,
  { repo, signal, commit, name }: Asked & { readonly commit: string; readonly name: string },
): Promise<RemoteFile> {
  const what = `Looking up ${name} of ${repo}`
  const path = `/${repo}/resolve/${commit}/${name.split('/').map(encodeURIComponent).join('/')}`
  return request(hub, { method: 'HEAD', path, what, signal }, async ({ hops, response }) => {
    const { headers } = response
    const first = (header: string): string | undefined =>
      hops.map((hop) => hop.headers.get(header)).find((value) => value !== null) ?? undefined
    const linkedHop = hops.find((hop) => hop.headers.has('x-linked-etag'))
    const oid = linkedHop ? oidIn(linkedHop.headers, 'x-linked-etag') : oidIn(headers, 'etag')
    // The length of a redirect is that of its own text.
    const length = first('x-linked-size') ?? (response.ok ? headers.get('content-length') : null)
    const answered = first('x-repo-commit')
    if (answered !== undefined && answered !== commit)
      badAnswer(what, `it answered for the commit ${answered}`)
    if (oid === undefined || !knownOid.test(oid)) {
      return badAnswer(
        what,
        'it gives no hash (ETag of 40 or 64 hexadecimal digits) to check the content with',
      )
    }
    if (!/^\d{1,15}$/.test(length ?? '')) return badAnswer(what, 'it does not say how large the file is')
    return { done: { name, path, oid, size: Number(length) } }
  })
}

const badAnswer = (what: string, why: string): never =>
  fail('TRIMKV_FORMAT', `${what} failed: the server does not answer as a Hugging Face hub`, {
    why: [why],
    hint: 'check HF_ENDPOINT',
  })
