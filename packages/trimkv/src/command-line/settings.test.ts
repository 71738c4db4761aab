import { describe, expect, it } from 'vitest'
import { checkedSettings, type SettingName } from './settings.ts'

describe('checkedSettings', () => {
  it('turns text into values and fills in defaults', async () => {
    const raw = { threads: '4', ids: '5, 17,42', stop: ['a'], temperature: '0.5' }
    expect(
      await checkedSettings(raw, ['threads', 'ids', 'stop', 'temperature', 'kvDtype', 'exact', 'seed']),
    ).toEqual({
      threads: 4,
      ids: [5, 17, 42],
      stop: ['a'],
      temperature: 0.5,
      kvDtype: 'f32',
      exact: false,
    })
  })

  it.each<[SettingName, unknown, RegExp]>([
    ['threads', '0', /--threads cannot be "0"[\s\S]*an integer ≥ 1/],
    ['threads', '2.5', /integer/],
    ['threads', '', /--threads/],
    ['threads', 'many', /number/],
    ['kvDtype', 'q8', /--kv-dtype cannot be "q8"[\s\S]*bf16/],
    ['ids', '1,x', /--ids cannot be[\s\S]*5,17,42/],
    ['ids', '1,-2', /--ids/],
    ['steps', undefined, /^--steps is missing\n {2}→ give --steps with a value$/],
    ['temperature', 'warm', /--temperature cannot be "warm"/],
  ])('refuses --%s %s', async (name, value, message) => {
    const checked = checkedSettings({ [name]: value }, [name])
    await expect(checked).rejects.toMatchObject({
      code: 'TRIMKV_OPTION',
      message: expect.stringMatching(message),
    })
  })
})
