import { spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadModel, loadPrefix, type Model } from '@trimkv/engine'
import { referenceGatesDir as gates, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { program, run } from './command-line.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-cli-sessions-'))
const chatModel = join(folder, 'chat-model')
const joined = '{{ bos_token }}{% for m in messages %} {{ m.content }}{% endfor %}'
beforeAll(() => {
  cpSync(referenceModelDir, chatModel, { recursive: true })
  writeFileSync(join(chatModel, 'chat_template.jinja'), joined)
})
afterAll(() => rmSync(folder, { recursive: true }))

const text =
  'put key library . ida smiles . put stone kitchen . finn visits mill . put lamp hall . nia sings . '
const document = text.repeat(3)
const inFolder = (...names: string[]): string => join(folder, ...names)

describe('cache save', () => {
  const file = inFolder('document.trimkv')
  const bounded = ['--gates', gates, '--budget', '24', '--buffer', '8']

  it('reads a text once; generate reads only what a prompt has beyond it', async () => {
    const path = inFolder('document.txt')
    writeFileSync(path, `${document}\n`)
    const saved = await run([
      'cache',
      'save',
      referenceModelDir,
      '--prompt-file',
      path,
      '-o',
      file,
      ...bounded,
    ])
    expect(saved).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/document\.trimkv .* KiB, 67 tokens read\n$/),
    })
    for (const [question, answer] of [
      ['find key', ' library'],
      ['find stone', ' kitchen'],
    ]) {
      const prompt = [`${document}${question}`, '--max-new', '1', '--gates', gates]
      const done = await run(['generate', referenceModelDir, '--prompt-cache', file, '-p', ...prompt])
      expect(done).toMatchObject({ code: 0, stdout: `${answer}\n` })
      expect(done.stderr).toMatch(/2 tokens read, 1 new, 67 reused/)
      expect(done.stderr).toMatch(/trimkv.* budget 24 tokens per head, buffer 8/)
    }
  })

  it('is shown without a model', async () => {
    const { code, stdout } = await run(['cache', 'show', file])
    expect(code).toBe(0)
    expect(stdout).toMatch(/policy +trimkv \(.*score=alpha, when=decode\)\n/)
    expect(stdout).toMatch(/67 tokens read, 24 kept per head/)
    expect(JSON.parse((await run(['cache', 'show', file, '--json'])).stdout)).toMatchObject({
      version: 1,
      seats: [{ seen: 67, stored: 24, pinned: 0 }],
    })
  })

  it('is refused with one reason each', async () => {
    const asked = ['-p', `${document}find key`, '--prompt-cache', file]
    const refused = async (args: string[], code: number, message: RegExp) => {
      const done = await run(['generate', referenceModelDir, ...args])
      expect(done.stderr).toMatch(message)
      expect(done).toMatchObject({ code, stdout: '' })
    }
    await refused([...asked], 2, /another set of gates[\s\S]*now: none/)
    await refused(
      [...asked, '--gates', gates, '--budget', '40'],
      2,
      /another budget\s[\s\S]*saved: 24[\s\S]*now: 40/,
    )
    await refused([...asked, '--gates', gates, '--exact'], 2, /another eviction mode/)
    await refused(
      ['-p', 'put key barn', '--prompt-cache', file, '--gates', gates],
      2,
      /PREFIX_MISMATCH[\s\S]*evicted/,
    )
    const flipped = readFileSync(file)
    flipped[flipped.length >> 1]! ^= 4
    const damaged = inFolder('damaged.trimkv')
    writeFileSync(damaged, flipped)
    await refused(
      ['-p', 'x', '--prompt-cache', damaged, '--gates', gates],
      4,
      /checksum[\s\S]*altered or damaged/,
    )
    writeFileSync(damaged, flipped.subarray(0, 3000))
    await refused(['-p', 'x', '--prompt-cache', damaged, '--gates', gates], 4, /truncated/)
    await refused(['-p', 'x', '--prompt-cache', inFolder('none'), '--gates', gates], 4, /does not exist/)
  })

  it('keeps a system message for every conversation with it, pinned', async () => {
    const system = 'put stone kitchen . put ring tower .'
    const out = inFolder('system.trimkv')
    const chat = ['--chat', '--system', system]
    const small = ['--policy', 'knorm', '--budget', '12', '--buffer', '2', '--pin-system']
    const saved = await run(['cache', 'save', chatModel, ...chat, ...small, '-o', out, '--json'])
    expect(JSON.parse(saved.stdout)).toMatchObject({ tokens: 9, policy: 'knorm', budget: 12 })
    const asked = ['-p', `${text}find ring`, '--max-new', '1', '--json', '--prompt-cache', out]
    const done = JSON.parse((await run(['generate', chatModel, ...chat, ...asked])).stdout)
    expect(done).toMatchObject({ text: ' tower', usage: { reusedTokens: 9, policy: 'knorm' } })
    const tight = [...chat, '-p', text, '--pin-system', '--policy', 'knorm', '--budget', '9']
    expect(await run(['generate', chatModel, ...tight])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/first 9 tokens always stay[\s\S]*smallest valid budget is 10/),
    })
  })
})

describe('best of n', () => {
  const flags = ['-p', `${document}find key`, '--temperature', '1.5', '--seed', '4', '--max-new', '6']

  it('prints the most likely answer, or all of them', async () => {
    const done = await run(['generate', referenceModelDir, ...flags, '--best-of', '3', '--json'])
    const { best, samples } = JSON.parse(done.stdout)
    expect(samples).toHaveLength(3)
    const scores = samples.map(({ meanLogProb }: { meanLogProb: number }) => meanLogProb)
    expect(scores[best]).toBe(Math.max(...scores))
    expect(samples.map(({ usage }: { usage: { promptTokens: number } }) => usage.promptTokens)).toEqual([
      69, 0, 0,
    ])
    const plain = await run(['generate', referenceModelDir, ...flags, '--best-of', '3'])
    expect(plain).toMatchObject({ code: 0, stdout: `${samples[best].text}\n` })
    expect(plain.stderr).toMatch(new RegExp(`answer ${best + 1} of 3 is the most likely`))
    const alone = await run(['generate', referenceModelDir, ...flags.with(5, '5')])
    expect(alone.stdout).toBe(`${samples[1].text}\n`)
    expect(await run(['generate', referenceModelDir, '-p', 'x', '--best-of', '2'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/same at temperature 0/),
    })
  })
})

describe('chat --session', () => {
  const flags = ['--gates', gates, '--max-new', '1']
  const small = ['--budget', '20', '--buffer', '4']

  it('goes on where it stopped, as if it had not', async () => {
    const file = inFolder('chat.trimkv')
    const lines = [`${text}find key`, '. find stone', '. put ring tower . find ring']
    const whole = await run(['chat', chatModel, ...flags, ...small], { input: `${lines.join('\n')}\n` })
    let answers = ''
    for (const [turn, line] of lines.entries()) {
      const settings = turn === 0 ? [...flags, ...small] : flags
      const part = await run(['chat', chatModel, ...settings, '--session', file], { input: `${line}\n` })
      expect(part.code).toBe(0)
      if (turn > 0) expect(part.stderr).toMatch(new RegExp(`going on with ${turn} messages? of`))
      if (turn > 0) expect(part.stderr).toMatch(/\d+ reused/)
      answers += part.stdout
    }
    expect(answers).toBe(whole.stdout)
    expect(answers).toMatch(/^ library\n/)
  })

  it('does not write over a conversation that another process has saved meanwhile', async () => {
    const file = inFolder('shared.trimkv')
    const args = ['chat', chatModel, ...flags, ...small, '--session', file]
    const first = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'ignore', 'pipe'] })
    let said = ''
    first.stderr.setEncoding('utf8').on('data', (more: string) => {
      said += more
    })
    const closed = new Promise<number | null>((resolve) => first.on('close', resolve))
    first.stdin.write(`${text}find key\n`)
    await vi.waitFor(() => expect(existsSync(file)).toBe(true), { timeout: 60_000 })
    const other = await run(args, { input: '. find stone\n' })
    expect(other).toMatchObject({ code: 0, stderr: expect.stringMatching(/going on with 1 message of/) })
    const saved = readFileSync(file)
    first.stdin.end('. find lamp\n')
    expect(await closed).toBe(2)
    expect(said).toMatch(/was not saved: another process has saved into .*shared\.trimkv meanwhile/)
    expect(readFileSync(file)).toEqual(saved)
  })

  it('goes on without saving when the disk is full, says so, and ends with 1', async (context) => {
    const disk = inFolder('disk')
    mkdirSync(disk)
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]).status !== 0)
      context.skip('a small file system cannot be mounted here')
    try {
      const file = join(disk, 'chat.trimkv')
      const full = [...flags, '--policy', 'full', '--session', file]
      expect((await run(['chat', chatModel, ...full], { input: 'put key library .\n' })).code).toBe(0)
      const before = readFileSync(file)
      const free = () => statfsSync(disk).bavail * statfsSync(disk).bsize
      writeFileSync(join(disk, 'filler'), Buffer.alloc(free() - 8192))
      const said = await run(['chat', chatModel, ...full], { input: `${document}find key\n. find stone\n` })
      expect(said.stdout).toMatch(/^ library\n kitchen\n$/)
      expect(said.stderr.match(/the conversation was not saved: .*ENOSPC/g)).toHaveLength(2)
      expect(said.stderr).toMatch(/TRIMKV_DISK/)
      expect(said.code).toBe(1)
      expect(readFileSync(file)).toEqual(before)
      expect(readdirSync(disk).sort()).toEqual(['chat.trimkv', 'filler'])
      rmSync(join(disk, 'filler'))
      expect((await run(['chat', chatModel, ...full], { input: '. find key\n' })).code).toBe(0)
    } finally {
      spawnSync('umount', [disk])
    }
  })
})

/** Counts what a process does to the file it writes, in order, and kills it before the step it is told. */
const stepping = `
import files from 'node:fs/promises'
import { appendFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { fileURLToPath } from 'node:url'

let steps = 0
function step(name) {
  steps += 1
  if (steps === Number(process.env.TEST_KILL_AT)) process.kill(process.pid, 'SIGKILL')
  if (process.env.TEST_STEPS) appendFileSync(process.env.TEST_STEPS, name + '\\n')
}
const handle = await files.open(fileURLToPath(import.meta.url))
const own = Object.getPrototypeOf(handle)
await handle.close()
const { write, sync } = own
// Half of what is asked, so that pieces are cut anywhere.
own.write = function (bytes, offset, length) {
  step('write')
  return write.call(this, bytes, offset, Math.ceil(length / 2))
}
own.sync = function () {
  step('sync')
  return sync.call(this)
}
const { rename } = files
files.rename = async (...names) => {
  step('rename')
  await rename(...names)
  step('renamed')
}
syncBuiltinESMExports()
`

describe('a process that is killed while it saves', () => {
  let model: Model
  beforeAll(async () => {
    model = await loadModel(referenceModelDir, { threads: 1 })
  })
  afterAll(() => model[Symbol.dispose]())

  it('leaves the old file or the new one, whole, wherever it is', async () => {
    const home = inFolder('killed')
    mkdirSync(home)
    const target = join(home, 'prefix.trimkv')
    const hook = inFolder('stepping.mjs')
    writeFileSync(hook, stepping)
    const save = (content: string, env: Record<string, string>) =>
      run(['cache', 'save', referenceModelDir, '-p', content, '-o', target, '--policy', 'full'], {
        nodeFlags: ['--import', pathToFileURL(hook).href],
        env,
      })
    const lengthOf = async (): Promise<number> => {
      using prefix = await loadPrefix(model, target)
      return prefix.ids.length
    }
    const [short, long] = [text, text.repeat(12)]
    const list = inFolder('steps.txt')
    expect((await save(long, { TEST_STEPS: list })).code).toBe(0)
    const steps = readFileSync(list, 'utf8').trim().split('\n')
    const after = await lengthOf()
    expect((await save(short, {})).code).toBe(0)
    const old = readFileSync(target)
    const before = await lengthOf()
    expect(before).toBeLessThan(after)
    const [synced, renamed] = [steps.indexOf('sync') + 1, steps.indexOf('renamed') + 1]
    expect(steps.slice(synced - 1)).toEqual(['sync', 'rename', 'renamed', 'sync'])
    const spread = [0, 0.01, 0.3, 0.6, 0.99].map((part) => 1 + Math.floor(part * (synced - 1)))
    for (const at of [...spread, synced, synced + 1, renamed, steps.length]) {
      writeFileSync(target, old)
      expect((await save(long, { TEST_KILL_AT: `${at}` })).code).toBeUndefined()
      expect([at, await lengthOf()]).toEqual([at, at < renamed ? before : after])
      // What it had written so far lies beside the file until the next one that is not killed.
      expect(readdirSync(home)).toHaveLength(at < renamed ? 2 : 1)
    }
    expect((await save(short, {})).code).toBe(0)
    expect(readdirSync(home)).toEqual(['prefix.trimkv'])
  })
})
