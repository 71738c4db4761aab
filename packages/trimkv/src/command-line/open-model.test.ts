import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { downloadModel, gateFiles, modelFiles } from '@trimkv/hub'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createTerminal } from '../terminal/terminal.ts'
import { localFolder } from './open-model.ts'

const commit = 'c0ffee0123456789c0ffee0123456789c0ffee01'
const files = new Map([
  ['config.json', '{}'],
  ['model.safetensors', 'weights'],
  ['tokenizer.json', '{"version":"1.0"}'],
  ['small.gguf', 'GGUF'],
])

let server: Server
let asked: string[]
let cacheDir: string
let talk: string
beforeEach(async () => {
  asked = []
  talk = ''
  cacheDir = mkdtempSync(join(tmpdir(), 'trimkv-open-model-'))
  server = createServer(({ url = '' }, response) => {
    asked.push(url)
    const content = files.get(url.split('/').at(-1)!)
    if (content === undefined) {
      const siblings = [...files.keys()].map((rfilename) => ({ rfilename }))
      return void response.end(JSON.stringify({ sha: commit, siblings }))
    }
    const oid = createHash('sha256').update(content).digest('hex')
    response.writeHead(200, { etag: `"${oid}"`, 'content-length': content.length }).end(content)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  vi.stubEnv('HF_ENDPOINT', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  vi.stubEnv('HF_HUB_CACHE', cacheDir)
  vi.stubEnv('HF_HOME', cacheDir)
  vi.stubEnv('HF_TOKEN', '')
  vi.stubEnv('HF_HUB_OFFLINE', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
  server.close()
  rmSync(cacheDir, { recursive: true })
})

function folderOf(name: string, { offline = false, wanted = modelFiles } = {}): Promise<string> {
  const stream = {
    write: (text: string) => {
      talk += text
      return true
    },
  }
  const terminal = createTerminal({ stdout: { write: () => true }, stderr: stream }, {})
  return localFolder({ name, files: wanted, offline }, { terminal, signal: new AbortController().signal })
}

it('a folder is taken as it is', async () => {
  expect(await folderOf(cacheDir)).toBe(cacheDir)
  await expect(folderOf('./no-such-folder')).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
  expect(asked).toEqual([])
})

it('a repository is downloaded once, and told about', async () => {
  const folder = await folderOf('org/name')
  expect(readFileSync(join(folder, 'model.safetensors'), 'utf8')).toBe('weights')
  expect(talk).toBe(`downloading org/name, 26 B, to ${cacheDir}\n`)
  asked.length = 0
  expect(await folderOf('org/name')).toBe(folder)
  expect(await folderOf(`org/name@${commit}`, { offline: true })).toBe(folder)
  expect(asked).toEqual([])
})

it('one file of a repository is downloaded alone', async () => {
  const path = await folderOf('org/name@main:small.gguf')
  expect(readFileSync(path, 'utf8')).toBe('GGUF')
  expect(readdirSync(join(path, '..'))).toEqual(['small.gguf'])
  expect(talk).toBe(`downloading org/name@main:small.gguf, 4 B, to ${cacheDir}\n`)
  asked.length = 0
  expect(await folderOf('org/name:small.gguf')).toBe(path)
  expect(asked).toEqual([])
  await expect(folderOf('org/name:large.gguf')).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
  await expect(folderOf('org/name:../small.gguf')).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
})

it('a model that was left without its tokenizer is completed, or told', async () => {
  await downloadModel('org/name', { patterns: ['config.json', 'model.safetensors'] })
  await expect(folderOf('org/name', { offline: true })).rejects.toMatchObject({
    code: 'TRIMKV_NOT_FOUND',
    message: expect.stringMatching(/no file fits tokenizer\.json[^]*--offline/),
  })
  const folder = await folderOf('org/name')
  expect(readFileSync(join(folder, 'tokenizer.json'), 'utf8')).toBe(files.get('tokenizer.json'))
})

it('nobody is asked when downloads are off', async () => {
  await expect(folderOf('org/name', { offline: true })).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
  vi.stubEnv('HF_HUB_OFFLINE', '1')
  await expect(folderOf('org/name')).rejects.toMatchObject({ message: expect.stringContaining(cacheDir) })
  expect(asked).toEqual([])
})

it('gates are not taken for a model, nor the other way round', async () => {
  await expect(folderOf('org/name', { wanted: gateFiles })).rejects.toMatchObject({
    message: expect.stringMatching(/retention_gates/),
  })
})
