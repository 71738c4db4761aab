import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { writeAtomically } from './atomic-write.ts'
import { removeAbandoned, unfinishedPath } from './unfinished-files.ts'
import { writeFolder } from './write-folder.ts'

const folder = useTemporaryFolder()

/** The number of a process that has ended. */
const endedProcess = (): number => spawnSync(process.execPath, ['-e', '']).pid

/** What a writer of `a` is called while it works. */
const ownName = async (): Promise<string> => basename(await unfinishedPath('a'))
const nameOf = async (pid: number): Promise<string> => (await ownName()).replace(/\.\d+-/, `.${pid}-`)

describe('an unfinished file', () => {
  it('is removed when its writer is gone', async () => {
    const [gone, own] = [await nameOf(endedProcess()), await ownName()]
    const dir = folder.folder({ [gone]: 'half', [own]: 'half', a: 'old' })
    await removeAbandoned(dir)
    expect(readdirSync(dir).sort()).toEqual([own, 'a'].sort())
  })

  it('is removed by the next writer in its folder', async () => {
    const dir = folder.folder({ [await nameOf(endedProcess())]: 'half' })
    await writeAtomically(join(dir, 'b'), 'new')
    expect(readdirSync(dir)).toEqual(['b'])
    const model = folder.folder({ [await nameOf(endedProcess())]: 'half' })
    await writeFolder(model, {}, { weights: 'new' })
    expect(readdirSync(model).sort()).toEqual(['config.json', 'weights'])
  })

  it('stays where its writer may live: on another machine, or under a name of another kind', async () => {
    const gone = await nameOf(endedProcess())
    const others = [
      gone.replace(/-[0-9a-f]{8}-/, '-00000000-'),
      gone.slice(1),
      gone.replace(/tmp$/, 'part'),
      '.a.0123456789ab.tmp',
    ]
    const dir = folder.folder(Object.fromEntries(others.map((name) => [name, 'half'])))
    await removeAbandoned(dir)
    expect(readdirSync(dir).sort()).toEqual(others.toSorted())
  })

  it.runIf(process.platform === 'linux')(
    'is removed when its number was given to another process',
    async () => {
      const reused = (await ownName()).replace(/-\d+-/, '-1-')
      const dir = folder.folder({ [reused]: 'half' })
      await removeAbandoned(dir)
      expect(readdirSync(dir)).toEqual([])
    },
  )

  it('is nothing to a folder that cannot be read', async () => {
    await expect(removeAbandoned(folder.path('none'))).resolves.toBeUndefined()
  })
})
