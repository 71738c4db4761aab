import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type HubServer, oidOf, type Seen, startHubServer } from '../test/hub-server.ts'
import { type DownloadedModel, downloadModel } from './index.ts'

const weights = randomBytes(2_000_000)
const half = weights.length / 2
const config = Buffer.from('{"model_type":"llama"}')
const names = ['config.json', 'model.safetensors'] as const
const files = { 'config.json': config, 'model.safetensors': weights }

let hub: HubServer
let cacheDir: string
beforeEach(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'trimkv-blobs-'))
  hub = await startHubServer(files)
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  rmSync(cacheDir, { recursive: true })
})

const attempts = 3
const download = (): Promise<DownloadedModel> =>
  downloadModel('org/name', {
    endpoint: hub.endpoint,
    cacheDir,
    token: '',
    offline: false,
    patience: { delayMs: 1, attempts },
  })

const inRepo = (...path: string[]): string => join(cacheDir, 'models--org--name', ...path)
const blob = (name: keyof typeof files): string => inRepo('blobs', oidOf(name, files[name]))

function expectWhole({ dir }: DownloadedModel): void {
  for (const name of names) expect(readFileSync(join(dir, name)).equals(files[name])).toBe(true)
  expect(readdirSync(inRepo('blobs'))).toHaveLength(names.length)
}

const startOf = ({ range }: Seen): number => Number(/\d+/.exec(range ?? '0')?.[0])

/** Begins to answer as the server would, with `bytes` bytes. */
function begin(response: ServerResponse, one: Seen, bytes: number): Promise<void> {
  const from = startOf(one)
  response.writeHead(one.range ? 206 : 200, {
    'content-length': weights.length - from,
    'content-range': `bytes ${from}-${weights.length - 1}/${weights.length}`,
  })
  return new Promise((done) => response.write(weights.subarray(from, from + bytes), () => done()))
}

describe('two holders of one lock', () => {
  /** Requests for the weights, each answered with its begin only. */
  let pending: { response: ServerResponse; one: Seen; bytes: number }[]
  let came: () => void
  const answerHalf = (bytes: number): void => {
    pending = []
    hub.misbehave = (one, response) => {
      if (one.host !== 'elsewhere') return false
      void begin(response, one, bytes).then(() => {
        pending.push({ response, one, bytes })
        came()
      })
      return true
    }
  }
  async function nextPending(count: number): Promise<void> {
    while (pending.length < count) await new Promise<void>((done) => (came = done))
  }
  const finish = (index: number): void => {
    const { response, one, bytes } = pending[index]!
    response.end(weights.subarray(startOf(one) + bytes))
  }
  const dropLock = (): void => {
    const locks = join(cacheDir, '.locks/models--org--name')
    for (const name of readdirSync(locks)) rmSync(join(locks, name))
  }

  it('bring the same file to its place', async () => {
    answerHalf(half / 2)
    const first = download()
    await nextPending(1)
    dropLock()
    const second = download()
    await nextPending(2)
    finish(0)
    expectWhole(await first)
    finish(1)
    expectWhole(await second)
  })

  it('do not take what the other has begun anew for their own', async () => {
    answerHalf(half / 2)
    const first = download()
    await nextPending(1)
    dropLock()
    const normal = hub.misbehave
    let isRefused = false
    hub.misbehave = (one, response, content) => {
      if (one.host !== 'elsewhere' || isRefused) return normal(one, response, content)
      isRefused = true
      response.writeHead(416).end()
      return true
    }
    const second = download()
    await nextPending(2)
    expect(pending[1]!.one.range).toBeUndefined()
    finish(0)
    // The first goes on with what the second has, and both come to the end.
    await nextPending(3)
    expect(existsSync(blob('model.safetensors'))).toBe(false)
    finish(2)
    expectWhole(await first)
    finish(1)
    expectWhole(await second)
  })
})

describe('a download that had to start over', () => {
  it('goes on as long as bytes come', async () => {
    const step = 250_000
    let calls = 0
    hub.misbehave = (one, response) => {
      if (one.host !== 'elsewhere') return false
      calls++
      if (calls === 2) response.writeHead(416).end()
      else void begin(response, one, calls === 1 ? half : step).then(() => response.socket?.end())
      return true
    }
    expectWhole(await download())
    expect(calls).toBe(2 + weights.length / step)
  })

  it('again and again comes to an end', async () => {
    hub.misbehave = (one, response) => {
      if (one.host !== 'elsewhere') return false
      response.writeHead(200, { 'content-length': weights.length })
      response.write(weights.subarray(0, half), () => response.socket?.end())
      return true
    }
    await expect(download()).rejects.toMatchObject({ code: 'TRIMKV_NETWORK' })
    expect(hub.downloads('model.safetensors').length).toBeLessThan(3 * attempts)
  })
})

describe('a description with a wrong size', () => {
  const sizes = { larger: 1000, smaller: -10, 'nothing at all': -Infinity }
  const cases = names.flatMap((name) =>
    Object.entries(sizes).map(([which, by]) => ({ name, which, size: Math.max(0, files[name].length + by) })),
  )

  it.each(cases)('of $name, $which, puts nothing in its place', async ({ name, size }) => {
    hub.misbehave = (one, response) => {
      if (one.method !== 'HEAD' || !one.path.endsWith(`/${name}`)) return false
      const oid = oidOf(name, files[name])
      const linked = { 'x-linked-etag': `"${oid}"`, 'x-linked-size': size }
      const told = name === 'config.json' ? { etag: `"${oid}"`, 'content-length': size } : linked
      response.writeHead(200, told).end()
      return true
    }
    await expect(download()).rejects.toMatchObject({
      code: expect.stringMatching(/^TRIMKV_(NETWORK|FORMAT)$/),
      message: expect.stringContaining(name),
    })
    expect(existsSync(blob(name))).toBe(false)
    expect(existsSync(inRepo('snapshots'))).toBe(false)
    expect(existsSync(inRepo('refs'))).toBe(false)
    hub.misbehave = () => false
    expectWhole(await download())
  })
})
