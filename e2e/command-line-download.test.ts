import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from './command-line.ts'

const commit = 'c0ffee0123456789c0ffee0123456789c0ffee01'
const repos = { 'org/model': referenceModelDir, 'org/gates': referenceGatesDir }
const names = [
  'config.json',
  'model.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
  'retention_gates.safetensors',
  'trimkv_weights.pth',
]

let server: Server
let home: string
let env: Record<string, string>
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'trimkv-download-'))
  server = createServer(({ url = '' }, response) => {
    const [, repo] = Object.entries(repos).find(([name]) => url.includes(name)) ?? []
    if (repo === undefined) return void response.writeHead(404, { 'x-error-code': 'RepoNotFound' }).end()
    if (url.startsWith('/api/')) {
      const siblings = names
        .filter((name) => existsSync(join(repo, name)))
        .map((rfilename) => ({ rfilename }))
      return void response.end(JSON.stringify({ sha: commit, siblings }))
    }
    const content = readFileSync(join(repo, url.split('/').at(-1)!))
    const oid = createHash('sha256').update(content).digest('hex')
    response.writeHead(200, { etag: `"${oid}"`, 'content-length': content.length }).end(content)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  env = { HF_ENDPOINT: endpoint, HF_HOME: home, HF_HUB_CACHE: '', HF_HUB_OFFLINE: '' }
})
afterAll(() => {
  server.close()
  rmSync(home, { recursive: true })
})

const prompt = ['-p', 'put key library . ida smiles . find key', '--max-new', '2', '--budget', '8', '--exact']
const fromFolders = ['generate', referenceModelDir, '--gates', referenceGatesDir, ...prompt]
const fromHub = ['generate', 'org/model', '--gates', 'org/gates@main', ...prompt]

it('a model and its gates are downloaded, once, and answer as from their folders', async () => {
  const { stdout } = await run(fromFolders)
  const first = await run(fromHub, { env })
  expect(first).toMatchObject({ code: 0, stdout })
  expect(first.stderr).toMatch(/^downloading org\/model, .* MiB, to .*\ndownloading org\/gates@main, /)
  const offline = await run([...fromHub, '--offline'], { env })
  expect(offline).toMatchObject({ code: 0, stdout })
  expect(offline.stderr).not.toMatch(/downloading/)
})

it('what is missing is told, with the code of a model that cannot be used', async () => {
  const missing = await run(['generate', 'org/other', ...prompt], { env })
  expect(missing).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/no such model +TRIMKV_NOT_FOUND\n[\s\S]*check the name/),
  })
  const offline = await run(['generate', 'org/other', ...prompt, '--offline'], { env })
  expect(offline).toMatchObject({ code: 4, stderr: expect.stringMatching(/models--org--other/) })
})
