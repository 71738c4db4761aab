import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { openModelFolder } from './model-source.ts'

const folder = useTemporaryFolder()

function copyOfModel(): string {
  const dir = folder.folder({ 'notes.txt': 'mine', 'weights.bin': 'others', '.hidden': '' })
  cpSync(goldenPath('recall-small'), dir, { recursive: true })
  mkdirSync(join(dir, 'folder'))
  return dir
}

describe('the side files of a model folder', () => {
  it('are all its files but weights, hidden ones and the configuration, through links too', async () => {
    const dir = copyOfModel()
    symlinkSync(join(dir, 'notes.txt'), join(dir, 'link.txt'))
    symlinkSync(join(dir, 'folder'), join(dir, 'linked-folder'))
    const files = await (await openModelFolder(dir)).sideFiles()
    expect([...files.keys()]).toEqual([
      'link.txt',
      'notes.txt',
      'test.jsonl',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    expect(Buffer.from(files.get('link.txt')!).toString()).toBe('mine')
  })

  it('are refused by name where one is a link to nothing', async () => {
    const dir = copyOfModel()
    symlinkSync(join(dir, 'gone'), join(dir, 'chat_template.jinja'))
    const source = await openModelFolder(dir)
    const message = /chat_template\.jinja does not exist\s+it is a link/
    await expectTrimError(() => source.sideFiles(), 'TRIMKV_NOT_FOUND', message)
    rmSync(join(dir, 'chat_template.jinja'))
    await expect(source.sideFiles()).resolves.toHaveProperty('size', 4)
  })
})
