import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { seededRandom } from '@trimkv/testing'
import { build } from 'tsup'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { commit, type HubServer, oidOf, startHubServer } from '../test/hub-server.ts'
import { findDownloaded } from './download-model.ts'

const weights = randomBytes(3_000_000)
const second = randomBytes(2_000_000)

let home: string
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'trimkv-hub-processes-'))
  // A process of its own cannot load our sources: they are put into one file, which takes no build of the packages.
  await build({
    entry: [fileURLToPath(new URL('../test/download-program.ts', import.meta.url))],
    outDir: home,
    config: false,
    silent: true,
    format: 'esm',
    target: 'es2022',
    platform: 'node',
    outExtension: () => ({ js: '.mjs' }),
    noExternal: [/./],
    esbuildOptions: (options) => {
      options.conditions = ['@trimkv/source']
    },
  })
})
afterAll(() => rmSync(home, { recursive: true }))

let hub: HubServer
let cacheDir: string
const started: ChildProcess[] = []
beforeEach(async () => {
  cacheDir = mkdtempSync(join(home, 'cache-'))
  hub = await startHubServer({
    'config.json': Buffer.from('{}'),
    'model-1.safetensors': weights,
    'model-2.safetensors': second,
    'tokenizer.json': Buffer.from('{}'),
  })
  // Slow enough that a kill and a second process meet the download on its way.
  hub.misbehave = ({ host, range }, response, content) => {
    if (host !== 'elsewhere' || !content) return false
    const from = Number(/\d+/.exec(range ?? '0')?.[0])
    const contentRange = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }
    response.writeHead(range ? 206 : 200, { 'content-length': content.length - from, ...contentRange })
    const step = 100_000
    const send = (at: number): void => {
      if (at >= content.length) response.end()
      else if (response.write(content.subarray(at, at + step))) setTimeout(send, 10, at + step)
      else response.once('drain', () => send(at + step))
    }
    send(from)
    return true
  }
})
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  await hub[Symbol.asyncDispose]()
})

interface Kill {
  readonly afterBytes?: number
  /** How many changes of names it does not come to. */
  readonly beforeChange?: number
}

/** Ends with what the program wrote; undefined when it was killed. */
function startDownload(kill: Kill = {}, copies = ''): Promise<{ files: string[] } | undefined> {
  const { afterBytes = Infinity, beforeChange } = kill
  const program = [join(home, 'download-program.mjs'), hub.endpoint, cacheDir]
  const child = spawn(process.execPath, [...program, `${beforeChange ?? ''}`, copies], {
    env: { ...process.env, HF_TOKEN: '', HF_HOME: home, HF_HUB_OFFLINE: '' },
  })
  started.push(child)
  let said = ''
  let talk = ''
  child.stdout.on('data', (data) => (said += data))
  child.stderr.on('data', (data) => {
    talk += data
    const bytes = Number(/(\d+)\n$/.exec(talk)?.[1] ?? 0)
    if (bytes >= afterBytes) child.kill('SIGKILL')
  })
  return new Promise((resolve, reject) =>
    child.on('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(said))
      else if (signal === 'SIGKILL') resolve(undefined)
      else reject(new Error(`the program ended with ${code ?? signal}: ${talk}`))
    }),
  )
}

const inRepo = (...names: string[]): string => join(cacheDir, 'models--org--name', ...names)

/** Whatever can be seen under its own name is whole. */
function expectOnlyWholeFiles(): void {
  const byOid = new Map([...hub.files].map(([name, content]) => [oidOf(name, content), content]))
  const blobs = existsSync(inRepo('blobs')) ? readdirSync(inRepo('blobs')) : []
  for (const name of blobs.filter((blob) => !blob.endsWith('.incomplete'))) {
    expect(readFileSync(inRepo('blobs', name)).equals(byOid.get(name)!)).toBe(true)
  }
  const snapshot = inRepo('snapshots', commit)
  for (const name of existsSync(snapshot) ? readdirSync(snapshot) : []) {
    expect(readFileSync(join(snapshot, name)).equals(hub.files.get(name)!)).toBe(true)
  }
  if (existsSync(inRepo('refs/main'))) expect(readdirSync(snapshot)).toHaveLength(hub.files.size)
}

describe('processes', () => {
  it('that want the same files at once fetch them once', async () => {
    const ends = await Promise.all([startDownload(), startDownload(), startDownload()])
    for (const end of ends) expect(end?.files).toEqual([...hub.files.keys()].sort())
    expectOnlyWholeFiles()
    expect(hub.downloads('model-1.safetensors')).toHaveLength(1)
    expect(hub.downloads('model-2.safetensors')).toHaveLength(1)
    expect(readdirSync(join(cacheDir, '.locks/models--org--name'))).toEqual([])
  })

  it('that are killed leave whole files only, and the next goes on', async () => {
    const random = seededRandom(5)
    for (let round = 1; round <= 8; round++) {
      const end = await startDownload({ afterBytes: round === 1 ? 500_000 : random.next() * 5_000_000 })
      expectOnlyWholeFiles()
      if (end) break
    }
    await startDownload()
    expectOnlyWholeFiles()
    expect((await findDownloaded('org/name', { cacheDir }))?.files).toHaveLength(4)
    const partials = readdirSync(inRepo('blobs')).filter((name) => name.endsWith('.incomplete'))
    expect(partials).toEqual([])
    expect(hub.downloads('model-1.safetensors').some(({ range }) => range !== undefined)).toBe(true)
  })

  it.each(['', 'copies'])(
    'that are killed before any change of a name leave whole files only, and the next clears up %s',
    async (copies) => {
      hub.misbehave = () => false
      let kills = 0
      for (let change = 1; ; change++) {
        cacheDir = mkdtempSync(join(home, 'cache-'))
        const end = await startDownload({ beforeChange: change }, copies)
        expectOnlyWholeFiles()
        if (end) break
        kills++
        // The last change is that of the branch.
        expect(existsSync(inRepo('refs/main'))).toBe(false)
        expect((await startDownload({}, copies))?.files).toEqual([...hub.files.keys()].sort())
        expectOnlyWholeFiles()
        expect(readFileSync(inRepo('refs/main'), 'utf8')).toBe(commit)
        // The lock of content that is there is asked for by nobody.
        const left = readdirSync(join(cacheDir, '.locks/models--org--name'))
        expect(left.filter((name) => !name.endsWith('.trimkv.lock'))).toEqual([])
      }
      // A rename of each content, a link and a rename of each file (a copy after the link that fails), and two of the branch.
      const contents = new Set([...hub.files].map(([name, content]) => oidOf(name, content)))
      expect(kills).toBe(contents.size + hub.files.size * (copies ? 3 : 2) + 2)
    },
    180_000,
  )

  it('that waits for one that is killed goes on with what that one had', async () => {
    const killed = startDownload({ afterBytes: 1_500_000 })
    const waiting = startDownload()
    const third = startDownload()
    await killed
    expect((await waiting)?.files).toHaveLength(4)
    expect((await third)?.files).toHaveLength(4)
    expectOnlyWholeFiles()
  })
})
