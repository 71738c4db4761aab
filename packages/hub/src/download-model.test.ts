import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { commit, type HubServer, oidOf, startHubServer } from '../test/hub-server.ts'
import { type DownloadOptions, downloadModel, findDownloaded } from './download-model.ts'
import { gateFiles } from './file-choice.ts'

const weights = randomBytes(300_000)
const config = Buffer.from('{"model_type":"llama"}\n')

let hub: HubServer
let cacheDir: string
beforeEach(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'trimkv-hub-'))
  hub = await startHubServer({
    'config.json': config,
    'model.safetensors': weights,
    'tokenizer.json': Buffer.alloc(0),
    'README.md': Buffer.from('read me'),
    'onnx/model.safetensors': Buffer.from('not wanted'),
    'gates/config.json': Buffer.from('{}'),
    'gates/trimkv_weights.pth': Buffer.from('gates'),
  })
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
    patience: { delayMs: 1 },
    ...options,
  })

const inRepo = (...names: string[]): string => join(cacheDir, 'models--org--name', ...names)
const blobs = (): string[] => readdirSync(inRepo('blobs'))
const locks = (): string[] => readdirSync(join(cacheDir, '.locks/models--org--name'))

describe('the cache', () => {
  it('is laid out as Hugging Face tools lay it', async () => {
    const { dir, commit: found, files } = await download()
    expect({ dir, found }).toEqual({ dir: inRepo('snapshots', commit), found: commit })
    expect(files).toEqual(['config.json', 'model.safetensors', 'tokenizer.json'])
    for (const name of files) {
      const content = hub.files.get(name)!
      expect(readlinkSync(join(dir, name))).toBe(`../../blobs/${oidOf(name, content)}`)
      expect(readFileSync(join(dir, name)).equals(content)).toBe(true)
    }
    expect(readFileSync(inRepo('refs/main'), 'utf8')).toBe(commit)
    expect(readdirSync(dir).sort()).toEqual(files)
    expect(blobs()).toHaveLength(3)
    expect(locks()).toEqual([])
  })

  it('is not filled twice', async () => {
    const first = await download()
    const again = await download()
    expect(again).toEqual(first)
    expect(hub.downloads('model.safetensors')).toHaveLength(1)
    expect(hub.downloads('config.json')).toHaveLength(1)
  })

  it('replaces content of the wrong size and links that lead elsewhere', async () => {
    const { dir } = await download()
    const blob = inRepo('blobs', oidOf('config.json', config))
    writeFileSync(blob, 'cut')
    rmSync(join(dir, 'tokenizer.json'))
    await download()
    expect(readFileSync(blob, 'utf8')).toBe(String(config))
    expect(existsSync(join(dir, 'tokenizer.json'))).toBe(true)
  })

  it('takes other files, in folders, of other revisions', async () => {
    const { dir, files } = await download({ patterns: ['gates/*'], revision: 'refs/pr/1' })
    expect(files).toEqual(['gates/config.json', 'gates/trimkv_weights.pth'])
    expect(readFileSync(join(dir, 'gates/trimkv_weights.pth'), 'utf8')).toBe('gates')
    expect(readlinkSync(join(dir, 'gates/config.json'))).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\//)
    expect(readFileSync(inRepo('refs/refs/pr/1'), 'utf8')).toBe(commit)
    expect(hub.seen[0]?.path).toBe('/api/models/org/name/revision/refs%2Fpr%2F1')
    await download({ revision: commit })
    expect(readdirSync(inRepo('refs'))).toEqual(['refs'])
  })

  it('says what is missing in the repository', async () => {
    await expect(download({ ...gateFiles })).rejects.toMatchObject({
      code: 'TRIMKV_NOT_FOUND',
      message: expect.stringMatching(/retention_gates.*trimkv_weights\.pth[^]*it has config\.json/),
    })
    await expect(download({ patterns: ['*.gguf'] })).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
  })

  it('counts bytes up to the total', async () => {
    const counted: number[] = []
    const totals = new Set<number>()
    await download({
      onProgress({ doneBytes, totalBytes }) {
        counted.push(doneBytes)
        totals.add(totalBytes)
      },
    })
    const total = weights.length + config.length
    expect([...totals]).toEqual([total])
    expect(counted.at(-1)).toBe(total)
    expect(counted.length).toBeGreaterThan(4)
  })
})

describe('offline', () => {
  it('takes what is there and asks nothing', async () => {
    const online = await download()
    hub.seen.length = 0
    expect(await download({ offline: true })).toEqual(online)
    expect(await findDownloaded('org/name', { cacheDir, revision: commit })).toEqual(online)
    expect(hub.seen).toEqual([])
  })

  it('says what is missing and where it looked', async () => {
    const missing = (message: RegExp) => ({
      code: 'TRIMKV_NOT_FOUND',
      message: expect.stringMatching(message),
    })
    await expect(download({ offline: true })).rejects.toMatchObject(
      missing(/main[^]*models--org--name\/refs\/main/),
    )
    const gone = 'd'.repeat(40)
    await expect(download({ offline: true, revision: gone })).rejects.toMatchObject(
      missing(/looked for .*snapshots\/d{40}/),
    )
    await download({ patterns: ['config.json'] })
    await expect(download({ offline: true })).rejects.toMatchObject(
      missing(/no file fits model\*\.safetensors/),
    )
    expect(await findDownloaded('org/name', { cacheDir })).toBeUndefined()
  })

  it('does not take a model for whole that lacks shards or content', async () => {
    const index = { weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } }
    hub.files.delete('model.safetensors')
    hub.files.set('model.safetensors.index.json', Buffer.from(JSON.stringify(index)))
    hub.files.set('model-1.safetensors', Buffer.from('one'))
    expect((await download({ patterns: ['*.json'] })).files).toHaveLength(3)
    await expect(download()).rejects.toMatchObject({
      message: expect.stringMatching(/missing: model-2\.safe/),
    })
    hub.files.set('model-2.safetensors', Buffer.from('two'))
    await download()
    expect(await findDownloaded('org/name', { cacheDir })).toBeDefined()
    expect(await findDownloaded('org/name', { cacheDir, patterns: ['*.json'] })).toBeDefined()
    rmSync(inRepo('blobs', oidOf('model-2.safetensors', Buffer.from('two'))))
    await expect(download({ offline: true })).rejects.toMatchObject({
      message: expect.stringMatching(/files are missing: model-2\.safetensors/),
    })
  })
})

describe('a model that another tool left half', () => {
  const index = 'model.safetensors.index.json'
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const
  beforeEach(() => {
    hub.files.delete('model.safetensors')
    const [a, b] = shards
    hub.files.set(index, Buffer.from(JSON.stringify({ weight_map: { a, b } })))
    for (const name of shards) hub.files.set(name, Buffer.from(name))
  })
  const all = ['config.json', 'tokenizer.json', index, ...shards]

  it.each(all)('without %s is not found, and is completed', async (lacking) => {
    await download({ patterns: all.filter((name) => name !== lacking) })
    expect(await findDownloaded('org/name', { cacheDir })).toBeUndefined()
    await expect(download({ offline: true })).rejects.toMatchObject({
      code: 'TRIMKV_NOT_FOUND',
      message: expect.stringContaining(lacking.startsWith('model') ? 'model' : lacking),
    })
    expect((await download()).files).toEqual(all.toSorted())
    expect(await findDownloaded('org/name', { cacheDir })).toBeDefined()
  })

  it('is found when only some of it is wanted', async () => {
    const patterns = [shards[1]]
    await download({ patterns })
    expect((await findDownloaded('org/name', { cacheDir, patterns }))?.files).toEqual(patterns)
  })

  it('lacks what its repository lacks: shards are refused, a tokenizer is not missed', async () => {
    hub.files.delete('tokenizer.json')
    expect((await download()).files).toHaveLength(4)
    hub.files.delete(index)
    rmSync(inRepo(), { recursive: true })
    await expect(download()).rejects.toMatchObject({
      message: expect.stringMatching(/not whole[^]*index\.json/),
    })
  })
})

describe('an endpoint with credentials', () => {
  it.each([
    'https://user:hf_secret@mirror',
    'https://hf_secret@mirror',
    'ftp://u:hf_secret@mirror',
    'u:hf_secret@mirror',
  ])('is refused and not repeated: %s', async (endpoint) => {
    const error = (await download({ endpoint }).catch((caught: unknown) => caught)) as Error
    expect(error).toMatchObject({
      code: 'TRIMKV_OPTION',
      message: expect.stringContaining('HF_ENDPOINT'),
    })
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toMatch(/hf_secret/)
  })
})

describe('the token', () => {
  it('goes to the hub and to no other host', async () => {
    await download({ token: 'hf_secret' })
    const sent = (host: string) => hub.seen.filter((one) => one.host === host).map((one) => one.authorization)
    expect(new Set(sent('hub'))).toEqual(new Set(['Bearer hf_secret']))
    expect(sent('elsewhere')).toEqual([undefined])
  })

  it('stays out of messages', async () => {
    hub.misbehave = (_one, response) => !!response.writeHead(401).end()
    const error = await download({ token: 'hf_secret' }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'TRIMKV_ACCESS' })
    expect(JSON.stringify(error) + String(error)).not.toMatch(/hf_secret/)
    await expect(download({ token: 'a\nb' })).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
  })
})

describe('names', () => {
  it.each(['../evil', 'a/../../evil', '/evil', 'a\\..\\evil', 'C:evil', 'a\0b', 'a//b', './a', 'a/.', ''])(
    'refuses a list with the file %j',
    async (name) => {
      hub.files.set(name, Buffer.from('evil'))
      await expect(download({ patterns: ['**'] })).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
      expect(readdirSync(cacheDir)).toEqual([])
    },
  )

  it.each(['name', 'org/../name', '../name', 'org/name/more', 'org/na--me', 'org/..', ''])(
    'refuses the repository %j',
    (repo) => expect(downloadModel(repo, { cacheDir })).rejects.toMatchObject({ code: 'TRIMKV_OPTION' }),
  )

  it.each(['../main', 'a/../b', '/main', '', 'a//b', 'a\\b', '..'])('refuses the revision %j', (revision) =>
    expect(download({ revision })).rejects.toMatchObject({ code: 'TRIMKV_OPTION' }),
  )
})
