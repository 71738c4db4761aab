import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const commit = 'c0ffee0123456789c0ffee0123456789c0ffee01'

/** One request as it came. */
export interface Seen {
  readonly host: 'hub' | 'elsewhere'
  readonly method: string
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

/** Answers in place of the server; false lets the server answer. */
type Misbehaviour = (seen: Seen, response: ServerResponse, content: Buffer | undefined) => boolean

export interface HubServer extends AsyncDisposable {
  readonly endpoint: string
  readonly seen: Seen[]
  /** Files of the repository, by name. */
  readonly files: Map<string, Buffer>
  misbehave: Misbehaviour
  /** Content requests that were answered, by the name of the file. */
  readonly downloads: (name: string) => Seen[]
}

/** Large files lie on another host, as files of Git LFS do. */
const isLarge = (name: string): boolean => /\.(safetensors|pth)$/.test(name)

export const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

export const oidOf = (name: string, content: Buffer): string =>
  isLarge(name)
    ? sha256(content)
    : createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')

function sendContent(seen: Seen, response: ServerResponse, content: Buffer): void {
  const from = Number(/^bytes=(\d+)-$/.exec(seen.range ?? '')?.[1] ?? 0)
  if (from >= content.length && from > 0) return void response.writeHead(416).end()
  const headers = { 'content-length': content.length - from }
  if (seen.range === undefined) response.writeHead(200, headers)
  else {
    const range = `bytes ${from}-${content.length - 1}/${content.length}`
    response.writeHead(206, { ...headers, 'content-range': range })
  }
  response.end(content.subarray(from))
}

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.closeAllConnections()
    server.close(() => resolve())
  })

/** A server that speaks as the Hugging Face hub does about `org/name`, and a second one for its large files. */
export async function startHubServer(files: Readonly<Record<string, Buffer>>): Promise<HubServer> {
  const held = new Map(Object.entries(files))
  const seen: Seen[] = []
  const contentOf = (path: string): [string, Buffer | undefined] => {
    const name = decodeURIComponent(path.replace(/^\/org\/name\/resolve\/[^/]+\//, ''))
    return [name, held.get(name)]
  }
  const onHub = (one: Seen, response: ServerResponse): void => {
    if (one.path.startsWith('/api/models/org/name/revision/')) {
      const siblings = [...held.keys()].map((rfilename) => ({ rfilename }))
      return void response.end(JSON.stringify({ id: 'org/name', sha: commit, siblings }))
    }
    const [name, content] = contentOf(one.path)
    if (!content) return void response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end()
    const oid = oidOf(name, content)
    const common = { 'x-repo-commit': commit }
    if (isLarge(name)) {
      const location = `${server.elsewhere}${one.path}?signature=secret`
      const linked = { 'x-linked-etag': `"${oid}"`, 'x-linked-size': content.length, etag: '"0-0"' }
      return void response.writeHead(302, { ...common, ...linked, location }).end('Found')
    }
    for (const [key, value] of Object.entries({ ...common, etag: `W/"${oid}"` }))
      response.setHeader(key, value)
    sendContent(one, response, content)
  }
  const server = { endpoint: '', elsewhere: '' }
  const handle =
    (host: Seen['host'], answer: (one: Seen, response: ServerResponse) => void) =>
    (request: IncomingMessage, response: ServerResponse): void => {
      const { range, authorization } = request.headers
      const path = (request.url ?? '').replace(/\?.*/, '')
      const one: Seen = { host, method: request.method ?? '', path, range, authorization }
      seen.push(one)
      if (!hub.misbehave(one, response, contentOf(path)[1])) answer(one, response)
    }
  const servers = [
    createServer(handle('hub', onHub)),
    createServer(handle('elsewhere', (one, response) => sendContent(one, response, contentOf(one.path)[1]!))),
  ]
  const [port, otherPort] = [await listen(servers[0]!), await listen(servers[1]!)]
  server.endpoint = `http://127.0.0.1:${port}`
  server.elsewhere = `http://127.0.0.1:${otherPort}`
  const hub: HubServer = {
    endpoint: server.endpoint,
    seen,
    files: held,
    misbehave: () => false,
    downloads: (name) => {
      const host = isLarge(name) ? 'elsewhere' : 'hub'
      return seen.filter((one) => one.method === 'GET' && one.host === host && one.path.endsWith(`/${name}`))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map(close))
    },
  }
  return hub
}
