import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ChatSession,
  createSession,
  loadModel,
  type Model,
  prefill,
  readPrefix,
  restoreSession,
  saveSession,
} from '@trimkv/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { goldenPath } from './golden.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-session-files-'))
const source = goldenPath('llama-plain', 'hf')
const ids = [5, 9, 7, 30, 12, 4]
let model: Model
beforeAll(async () => {
  model = await loadModel(source, { threads: 1 })
})
afterAll(() => {
  model[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

describe('a file that says otherwise than its cache', () => {
  const sealBytes = 32

  /** Puts another text in its header, of the same length, and seals it anew. */
  function altered(whole: Buffer, from: string, to: string): Buffer {
    expect(to).toHaveLength(from.length)
    const text = whole.subarray(0, -sealBytes).toString('latin1')
    expect(text.split(from)).toHaveLength(2)
    const content = Buffer.from(text.replace(from, to), 'latin1')
    return Buffer.concat([content, createHash('sha256').update(content).digest()])
  }

  it('is refused where it holds ids of fewer tokens than were read', async () => {
    const path = join(folder, 'altered.trimkv')
    {
      using session = createSession(model, { policy: 'full' }, { batch: 1, maxTokens: 20 })
      session.begin(0, 20)
      for await (const _step of prefill(session, { seat: 0, ids, output: 'none' }));
      await saveSession(session, path, { ids: [ids] })
    }
    const whole = readFileSync(path)
    const state = (seen: number) => String.raw`{\"seen\":${seen},\"stored\":6,`
    writeFileSync(path, altered(whole, state(6), state(7)))
    const live = model.device.liveTensors()
    await expect(restoreSession(model, path)).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
    expect(model.device.liveTensors()).toBe(live)
    writeFileSync(path, altered(whole, state(6), state(6)))
    using restored = (await restoreSession(model, path)).session
    expect(restored.cache.seen(0)).toBe(6)
  })
})

describe('a model whose files change after it was loaded', () => {
  const replacements = {
    'by another file': (file: string) => {
      cpSync(file, `${file}.new`)
      renameSync(`${file}.new`, file)
    },
    'in place': (file: string) => {
      writeFileSync(file, readFileSync(file))
      utimesSync(file, 1, 1)
    },
    'by none': (file: string) => rmSync(file),
  }

  it.each(Object.keys(replacements) as (keyof typeof replacements)[])(
    'cannot save under their name: replaced %s',
    async (how) => {
      const dir = join(folder, how)
      cpSync(source, dir, { recursive: true })
      const path = join(folder, 'replaced.trimkv')
      using changed = await loadModel(dir, { threads: 1 })
      using early = await loadModel(dir, { threads: 1 })
      using prefix = await readPrefix(changed, { ids }, { policy: 'full' })
      using known = await readPrefix(early, { ids }, { policy: 'full' })
      await known.save(path)
      const before = readFileSync(path)
      replacements[how](join(dir, 'model.safetensors'))
      await expect(prefix.save(path)).rejects.toMatchObject({
        code: how === 'by none' ? 'TRIMKV_NOT_FOUND' : 'TRIMKV_SESSION_MISMATCH',
      })
      await expect(ChatSession.restore(changed, path)).rejects.toThrow(/model.safetensors/)
      expect(readFileSync(path)).toEqual(before)
      // What was learnt of the files in time stays true of the weights in memory.
      await known.save(path)
    },
  )
})
