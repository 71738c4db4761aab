import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { writeAtomically } from './atomic-write.ts'

const folder = useTemporaryFolder()

describe('writeAtomically', () => {
  it('writes text as UTF-8, or the bytes of the pieces in order', async () => {
    const path = folder.path('a')
    await writeAtomically(path, 'grün')
    expect(readFileSync(path, 'utf8')).toBe('grün')
    await writeAtomically(path, [Uint16Array.of(0x0201, 0x0403).subarray(1), Buffer.from('end')])
    expect([...readFileSync(path)]).toEqual([3, 4, ...Buffer.from('end')])
  })

  it('shows the old file until the new one is whole', async () => {
    const dir = folder.folder({ a: 'old' })
    const seen: string[] = []
    function* pieces() {
      yield Buffer.from('ne')
      seen.push(readFileSync(join(dir, 'a'), 'utf8'))
      yield Buffer.from('w')
    }
    await writeAtomically(join(dir, 'a'), pieces())
    expect(seen).toEqual(['old'])
    expect(readFileSync(join(dir, 'a'), 'utf8')).toBe('new')
    expect(readdirSync(dir)).toEqual(['a'])
  })

  it('keeps the old file and leaves nothing behind when a piece cannot be made', async () => {
    const dir = folder.folder({ a: 'old' })
    function* pieces() {
      yield Buffer.from('half')
      fail('TRIMKV_UNSUPPORTED', 'no more')
    }
    await expectTrimError(() => writeAtomically(join(dir, 'a'), pieces()), 'TRIMKV_UNSUPPORTED', /no more/)
    expect(readFileSync(join(dir, 'a'), 'utf8')).toBe('old')
    expect(readdirSync(dir)).toEqual(['a'])
  })

  it('says why a file cannot be written', async () => {
    const dir = folder.folder({})
    mkdirSync(join(dir, 'occupied'))
    await expectTrimError(() => writeAtomically(join(dir, 'occupied'), ''), 'TRIMKV_IO', /cannot be written/)
    expect(readdirSync(dir)).toEqual(['occupied'])
    await expectTrimError(() => writeAtomically(join(dir, 'none', 'a'), ''), 'TRIMKV_IO', /ENOENT.*folder/s)
  })
})
