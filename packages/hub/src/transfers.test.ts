import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type HubServer, type Seen, sha256, startHubServer } from '../test/hub-server.ts'
import { type DownloadOptions, downloadModel } from './download-model.ts'

const weights = randomBytes(2_000_000)
const half = weights.length / 2
const name = 'model.safetensors'

let hub: HubServer
let cacheDir: string
beforeEach(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'trimkv-transfers-'))
  hub = await startHubServer({ 'config.json': Buffer.from('{}'), [name]: weights })
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  rmSync(cacheDir, { recursive: true })
})

const download = (options: DownloadOptions = {}) =>
  downloadModel('org/name', {
    endpoint: hub.endpoint,
    cacheDir,
    token: '',
    offline: false,
    ...options,
    patience: { delayMs: 1, attempts: 3, ...options.patience },
  })

const inRepo = (...names: string[]): string => join(cacheDir, 'models--org--name', ...names)
const blob = (): string => inRepo('blobs', sha256(weights))
const partial = (): string => `${blob()}.trimkv.incomplete`

async function expectWhole(options?: DownloadOptions): Promise<void> {
  const { dir } = await download(options)
  expect(readFileSync(join(dir, name)).equals(weights)).toBe(true)
  expect(readdirSync(inRepo('blobs'))).toHaveLength(2)
}

type Answer = (response: ServerResponse, one: Seen) => void

/** Answers the requests for the content of the weights, in turn, then lets the server do it. */
function answerWeights(...answers: readonly Answer[]): void {
  const queue = [...answers]
  hub.misbehave = (one, response) => {
    const answer = one.host === 'elsewhere' ? queue.shift() : undefined
    answer?.(response, one)
    return answer !== undefined
  }
}

/** As {@link answerWeights}, for every request. */
function alwaysAnswerWeights(answer: Answer): void {
  hub.misbehave = (one, response) => {
    if (one.host === 'elsewhere') answer(response, one)
    return one.host === 'elsewhere'
  }
}

const ranges = (): (string | undefined)[] => hub.downloads(name).map(({ range }) => range)

/** Promises everything and drops the connection in the middle. */
const drop: Answer = (response) => {
  response.writeHead(200, { 'content-length': weights.length })
  response.write(weights.subarray(0, half), () => response.socket?.end())
}

/** A response with a body, whatever was asked. */
const sends =
  (body: Buffer, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, { 'content-length': body.length, ...headers }).end(body)

const wrong = Buffer.alloc(weights.length, 1)

describe('a connection that', () => {
  it('breaks is taken up where it was', async () => {
    answerWeights(drop)
    await expectWhole()
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d+-$/)])
  })

  it('breaks before the answer is tried again', async () => {
    answerWeights((response) => void response.socket?.destroy())
    await expectWhole()
  })

  it('breaks more often than patience lasts succeeds as long as bytes come', async () => {
    const step = 250_000
    let calls = 0
    hub.misbehave = (one, response) => {
      if (one.host !== 'elsewhere' || ++calls > 6) return false
      const from = Number(/\d+/.exec(one.range ?? '0')?.[0])
      const range = `bytes ${from}-${weights.length - 1}/${weights.length}`
      response.writeHead(one.range ? 206 : 200, {
        'content-length': weights.length - from,
        'content-range': range,
      })
      response.write(weights.subarray(from, from + step), () => response.socket?.end())
      return true
    }
    await expectWhole()
    expect(calls).toBe(7)
  })

  it('falls silent counts as lost', async () => {
    answerWeights((response) => {
      response.writeHead(200, { 'content-length': weights.length })
      response.write(weights.subarray(0, half))
    })
    await expectWhole({ patience: { idleMs: 400 } })
    expect(ranges()).toHaveLength(2)
  })

  it('always breaks ends in an error, and what came is kept', async () => {
    alwaysAnswerWeights((response, one) => (one.range ? response.socket?.destroy() : drop(response, one)))
    await expect(download()).rejects.toMatchObject({
      code: 'TRIMKV_NETWORK',
      message: expect.stringMatching(/Downloading model\.safetensors failed[^]*3 attempts/),
    })
    expect(existsSync(blob())).toBe(false)
    expect(existsSync(inRepo('snapshots'))).toBe(false)
    expect(existsSync(inRepo('refs'))).toBe(false)
    const kept = statSync(partial()).size
    expect(kept).toBeGreaterThan(0)
    hub.misbehave = () => false
    await expectWhole()
    expect(ranges().at(-1)).toBe(`bytes=${kept}-`)
  })
})

describe('a server that', () => {
  it('ignores ranges sends it all again', async () => {
    answerWeights(drop, sends(weights))
    await expectWhole()
    expect(ranges()).toHaveLength(2)
  })

  it('sends another range starts over', async () => {
    const range = `bytes 0-9/${weights.length}`
    answerWeights(drop, sends(weights.subarray(0, 10), 206, { 'content-range': range }))
    await expectWhole()
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]/), undefined])
  })

  it('has no such range starts over', async () => {
    answerWeights(drop, (response) => void response.writeHead(416).end())
    await expectWhole()
  })

  it('promises too little is asked for the rest', async () => {
    answerWeights(sends(weights.subarray(0, half)))
    await expectWhole()
    expect(ranges()).toEqual([undefined, `bytes=${half}-`])
  })

  it('sends too much is not believed', async () => {
    answerWeights(sends(Buffer.concat([weights, weights])))
    await expectWhole()
    alwaysAnswerWeights(sends(Buffer.concat([wrong, wrong])))
    rmSync(blob())
    await expect(download()).rejects.toMatchObject({
      message: expect.stringMatching(/sent more than the 2000000/),
    })
    expect(existsSync(blob())).toBe(false)
  })

  it('sends wrong bytes is asked once more', async () => {
    answerWeights(sends(wrong))
    await expectWhole()
  })

  it('always sends wrong bytes ends in an error, and nothing of it is kept', async () => {
    alwaysAnswerWeights(sends(wrong))
    await expect(download()).rejects.toMatchObject({
      code: 'TRIMKV_FORMAT',
      message: expect.stringContaining(sha256(weights)),
    })
    expect(existsSync(blob())).toBe(false)
    expect(statSync(partial()).size).toBe(0)
  })

  // Again and again: the other file is stopped at any moment, and once that could wait for ever.
  it('sends wrong bytes of a small file is found out by the hash of git', { repeats: 20 }, async () => {
    hub.misbehave = (one, response) => {
      const isConfig = one.method === 'GET' && one.path.endsWith('/config.json')
      if (isConfig) response.end('[]')
      return isConfig
    }
    await expect(download()).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
  })

  it('changed the file in the meantime is not mixed with it', async () => {
    hub.misbehave = (one, response) => {
      const isChanged = one.method === 'GET' && one.host === 'hub' && one.path.endsWith(name)
      if (isChanged) response.writeHead(200, { 'x-linked-etag': `"${'e'.repeat(64)}"` }).end(wrong)
      return isChanged
    }
    await expect(download()).rejects.toMatchObject({
      message: expect.stringMatching(/answered with another file/),
    })
  })

  it.each([
    ['no hash', {}, /gives no hash/],
    ['a hash that is a path', { etag: '"../../x"' }, /gives no hash/],
    ['no size', { etag: `"${'a'.repeat(40)}"`, 'transfer-encoding': 'chunked' }, /how large/],
    [
      'another commit',
      { etag: `"${'a'.repeat(40)}"`, 'x-repo-commit': 'b'.repeat(40) },
      /for the commit b{40}/,
    ],
  ])('gives %s is refused', async (_what, headers, message) => {
    hub.misbehave = (one, response) => {
      if (one.method === 'HEAD') response.writeHead(200, headers).end()
      return one.method === 'HEAD'
    }
    await expect(download()).rejects.toMatchObject({
      code: 'TRIMKV_FORMAT',
      message: expect.stringMatching(message),
    })
  })

  it.each(['<html>', '{}', '[]', '{"sha":"main","siblings":[]}', '{"sha":1,"siblings":[{"rfilename":2}]}'])(
    'lists %s is refused',
    async (text) => {
      hub.misbehave = (_one, response) => !!response.end(text)
      await expect(download()).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
    },
  )
})

describe('an answer of', () => {
  const answerOnce = (status: number, headers: Record<string, string> = {}): void => {
    let isFirst = true
    hub.misbehave = (_one, response) => {
      if (isFirst) response.writeHead(status, headers).end('sorry')
      const wasFirst = isFirst
      isFirst = false
      return wasFirst
    }
  }

  it.each([408, 429, 500, 502, 503, 504])('%i is tried again', async (status) => {
    answerOnce(status)
    await expectWhole()
  })

  it('429 is followed by the pause it asks for', async () => {
    answerOnce(429, { 'retry-after': '1' })
    const started = performance.now()
    await expectWhole()
    expect(performance.now() - started).toBeGreaterThan(950)
  })

  it('500 again and again ends in an error', async () => {
    hub.misbehave = (_one, response) => !!response.writeHead(500).end()
    await expect(download()).rejects.toMatchObject({
      code: 'TRIMKV_NETWORK',
      message: expect.stringMatching(/answered 500[^]*3 attempts/),
    })
    expect(hub.seen).toHaveLength(3)
  })

  it.each([
    [401, 'TRIMKV_ACCESS', 'RepoNotFound', /set HF_TOKEN/],
    [403, 'TRIMKV_ACCESS', 'GatedRepo', /set HF_TOKEN/],
    [404, 'TRIMKV_NOT_FOUND', 'RepoNotFound', /check the name/],
    [404, 'TRIMKV_NOT_FOUND', 'RevisionNotFound', /check the revision/],
    [418, 'TRIMKV_NETWORK', '', /HF_ENDPOINT/],
  ])('%i ends at once with %s (%s)', async (status, code, reason, message) => {
    hub.misbehave = (_one, response) =>
      !!response.writeHead(status, { 'x-error-code': reason, 'x-error-message': 'because so' }).end()
    const error = await download().catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    expect(String(error)).toMatch(/because so/)
    expect(hub.seen).toHaveLength(1)
  })

  it('403 from the other host is an address that expired: a new one is asked for', async () => {
    answerWeights((response) => void response.writeHead(403).end())
    await expectWhole()
    expect(
      hub.seen.filter((one) => one.method === 'GET' && one.host === 'hub' && one.path.endsWith(name)),
    ).toHaveLength(2)
  })

  it('another host is told without what signs its address', async () => {
    alwaysAnswerWeights((response) => void response.writeHead(403).end())
    const error = (await download().catch((caught: unknown) => caught)) as Error
    expect(error).toMatchObject({
      code: 'TRIMKV_NETWORK',
      message: expect.stringMatching(/:\d+ answered 403/),
    })
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toMatch(/signature|secret/)
  })

  it('redirects without end, or to what is no server, is refused', async () => {
    hub.misbehave = (_one, response) => !!response.writeHead(302, { location: '/again' }).end()
    await expect(download()).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
    hub.misbehave = (_one, response) => !!response.writeHead(302, { location: 'data:text/plain,x' }).end()
    await expect(download()).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
  })

  it('redirects on the same host is followed, as for repositories that were renamed', async () => {
    hub.misbehave = (one, response) => {
      const isFormer = one.path.includes('/org/former/')
      if (isFormer) {
        const location = one.path.replace('/former/', '/name/')
        response.writeHead(307, { location, etag: '"of the redirect"' }).end('Temporary Redirect')
      }
      return isFormer
    }
    const { dir, files } = await downloadModel('org/former', {
      endpoint: hub.endpoint,
      cacheDir,
      token: 'hf_secret',
      offline: false,
    })
    expect(dir).toContain('models--org--former')
    expect(files).toEqual(['config.json', name])
    expect(readFileSync(join(dir, name)).equals(weights)).toBe(true)
  })
})

describe('no server', () => {
  it('is an error that says so', async () => {
    await hub[Symbol.asyncDispose]()
    await expect(download()).rejects.toMatchObject({
      code: 'TRIMKV_NETWORK',
      message: expect.stringMatching(/ECONNREFUSED/),
    })
    await expect(download({ endpoint: 'ftp://x' })).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
  })
})

describe('the signal', () => {
  it('stops with its reason, keeps what came, and the next goes on', async () => {
    const stop = new AbortController()
    alwaysAnswerWeights((response) => {
      response.writeHead(200, { 'content-length': weights.length })
      response.write(weights.subarray(0, half))
    })
    const reason = new Error('enough')
    const onProgress = ({ doneBytes }: { doneBytes: number }): void => {
      if (doneBytes > 100_000) stop.abort(reason)
    }
    await expect(download({ signal: stop.signal, onProgress })).rejects.toBe(reason)
    expect(readdirSync(join(cacheDir, '.locks/models--org--name'))).toEqual([])
    await expect(download({ signal: stop.signal })).rejects.toBe(reason)
    hub.misbehave = () => false
    await expectWhole()
    expect(ranges().at(-1)).toMatch(/^bytes=[1-9]/)
  })

  it('stops the pause before another attempt', async () => {
    const stop = new AbortController()
    hub.misbehave = (_one, response) => !!response.writeHead(503, { 'retry-after': '100' }).end()
    setTimeout(() => stop.abort(new Error('enough')), 50)
    await expect(download({ signal: stop.signal })).rejects.toThrow('enough')
  })
})

it('does not go on with what is longer than the file, or not its begin', async () => {
  await download({ patterns: ['config.json'] })
  writeFileSync(partial(), Buffer.alloc(weights.length + 1))
  await expectWhole()
  rmSync(blob())
  writeFileSync(partial(), wrong.subarray(0, half))
  await expectWhole()
  expect(ranges()).toEqual([undefined, `bytes=${half}-`, undefined])
})
