import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { loadModel, queryFilters } from '@trimkv/engine'
import { openSafetensors, readTensorData } from '@trimkv/io'
import { referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { program, run } from './command-line.ts'
import { goldenPath } from './golden.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-filters-'))
afterAll(() => rmSync(folder, { recursive: true }))

const sentences = [
  'put key barn . ana sings alone .',
  'put stone kitchen . finn visits mill .',
  'nia sings .',
]
const data = join(folder, 'texts.jsonl')
beforeAll(() => {
  const [first, second, third] = sentences
  const records = [{ text: first }, { prompt: second, completion: ' find stone' }, { text: third }]
  writeFileSync(data, records.map((record) => `${JSON.stringify(record)}\n\n`).join(''))
})

async function filtersIn(file: string): Promise<{ shape: readonly number[]; data: Float32Array }> {
  const entry = (await openSafetensors(file)).tensors.get('q_filters')!
  return { shape: entry.shape, data: await readTensorData(entry) }
}

const filters = (...args: string[]) => run(['filters', referenceModelDir, ...args])

describe('filters', () => {
  it('writes what queryFilters computes of the records, for generate to use', async () => {
    const out = join(folder, 'q-filters.safetensors')
    const { code, stdout } = await filters(
      '--data',
      data,
      '--out',
      out,
      '--tokens',
      '6',
      '--texts',
      '2',
      '--json',
    )
    expect(code).toBe(0)
    using model = await loadModel(referenceModelDir)
    const tokenizer = await model.tokenizer()
    const texts = sentences.slice(0, 2).map((text) => ({ ids: tokenizer.encode(text).slice(0, 6) }))
    const wanted = await queryFilters(model, texts)
    expect(JSON.parse(stdout)).toMatchObject({ file: out, shape: [...wanted.shape], texts: 2, tokens: 12 })
    expect(await filtersIn(out)).toEqual({ shape: [...wanted.shape], data: wanted.data })
    expect(wanted.data.some((value) => value !== 0)).toBe(true)
    const policy = `q-filters:recent=2,filters=${out}`
    const answer = await run([
      'generate',
      referenceModelDir,
      ...[
        '--policy',
        policy,
        '--budget',
        '8',
        '--buffer',
        '1',
        '-p',
        sentences[1]!,
        '--max-new',
        '4',
        '--json',
      ],
    ])
    expect(answer.code).toBe(0)
    const { usage } = JSON.parse(answer.stdout)
    expect(usage).toMatchObject({ policy: 'q-filters', policyOptions: { filters: out }, budgetReached: true })
  })

  it('takes a text or ids', async () => {
    using model = await loadModel(referenceModelDir)
    const ids = (await model.tokenizer()).encode(sentences[0]!)
    const wanted = await queryFilters(model, [{ ids }])
    const [text, list] = [join(folder, 'text'), join(folder, 'ids')]
    expect((await filters('-p', sentences[0]!, '--out', text)).stdout).toMatch(/filters from \d+ tokens\n$/)
    expect((await filters('--ids', ids.join(), '--out', list)).code).toBe(0)
    expect((await filtersIn(text)).data).toEqual(wanted.data)
    expect((await filtersIn(list)).data).toEqual(wanted.data)
  })

  it('replaces a file only with --force', async () => {
    const out = join(folder, 'kept')
    writeFileSync(out, 'old')
    const again = await filters('-p', 'put key', '--out', out)
    expect(again.code).toBe(2)
    expect(again.stderr).toMatch(/exists[\s\S]*--force/)
    expect(readFileSync(out, 'utf8')).toBe('old')
    expect((await filters('-p', 'put key', '--out', out, '--force')).code).toBe(0)
    expect((await filtersIn(out)).shape).toHaveLength(3)
  })

  it.runIf(process.platform === 'linux')('stops at Ctrl-C and leaves the file that was there', async () => {
    const [out, long] = [join(folder, 'old'), join(folder, 'long.txt')]
    writeFileSync(out, 'old')
    writeFileSync(long, 'put key barn . '.repeat(1000))
    const args = [
      'filters',
      referenceModelDir,
      '--prompt-file',
      long,
      '--samples',
      '9999',
      '--out',
      out,
      '--force',
    ]
    const child = spawn(process.execPath, [program, ...args], { stdio: 'ignore' })
    // Once the weights are mapped the command is at work.
    const isMapped = () => readFileSync(`/proc/${child.pid}/maps`, 'utf8').includes('model.safetensors')
    while (!isMapped()) await setTimeout(5)
    child.kill('SIGINT')
    expect(await once(child, 'close')).toEqual([130, null])
    expect(readFileSync(out, 'utf8')).toBe('old')
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it.each([
    ['nothing to read', ['--data', join(folder, 'none.jsonl')], /no file .*none\.jsonl/, 4],
    ['a record that is none', ['--data', join(folder, 'bad.jsonl')], /bad\.jsonl:1 is no document/, 4],
    ['no text at all', ['--data', join(folder, 'empty.jsonl')], /hold no text/, 2],
    ['two sources', ['--data', data, '-p', 'put'], /--data excludes/, 2],
    ['no tokens', ['-p', 'put', '--tokens', '0'], /--tokens cannot be "0"/, 2],
  ])('says what is wrong with %s', async (_, args, message, expected) => {
    writeFileSync(join(folder, 'bad.jsonl'), '{"text": 3}\n')
    writeFileSync(join(folder, 'empty.jsonl'), '\n')
    const { code, stdout, stderr } = await filters(...args, '--out', join(folder, 'refused'))
    expect(stderr).toMatch(message)
    expect(code).toBe(expected)
    expect(stdout).toBe('')
    expect(readdirSync(folder)).not.toContain('refused')
  })

  it('needs a folder to write to', async () => {
    const { code, stderr } = await filters('-p', 'put', '--out', join(folder, 'none', 'file'))
    expect(stderr).toMatch(/no folder .*none to write to/)
    expect(code).toBe(4)
  })

  it('writes filters that another model refuses', async () => {
    const out = join(folder, 'other')
    expect((await run(['filters', goldenPath('qwen3', 'hf'), '--ids', '5,17,42,7', '--out', out])).code).toBe(
      0,
    )
    const policy = `q-filters:filters=${out}`
    const answer = await run(['generate', referenceModelDir, '--policy', policy, '-p', 'put key barn'])
    expect(answer.code).not.toBe(0)
    expect(answer.stderr).toMatch(/q_filters/)
  })
})
