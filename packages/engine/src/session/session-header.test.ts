import { describe, expect, it } from 'vitest'
import { parseSessionHeader, sessionKey, sessionVersion } from './session-header.ts'
import { optionsToRestore } from './session-settings.ts'

const settings = {
  policy: 'streaming',
  policyOptions: { sinks: 4 },
  budget: 8,
  mode: { mode: 'buffered' as const, buffer: 2 },
  kvDtype: 'f32' as const,
  positionOffset: 0,
  shape: { layers: 1, queryHeads: 2, kvHeads: 1, headDim: 4 },
}
const header = {
  version: sessionVersion,
  model: { name: null, weights: 'abc' },
  gates: null,
  isa: 'avx2',
  settings,
  seats: [{ seen: 9, stored: 8, victimWaits: false, pinned: 0 }],
}

const parse = (value: unknown) =>
  parseSessionHeader({ path: 'x.trimkv', metadata: { [sessionKey]: JSON.stringify(value) } })

describe('parseSessionHeader', () => {
  it('takes what a session writes', () => {
    expect(parse(header)).toEqual(header)
  })

  it.each<[string, unknown]>([
    ['a list', []],
    ['no model', { ...header, model: null }],
    ['no digest', { ...header, model: { name: null } }],
    ['no settings', { ...header, settings: undefined }],
    ['a format that nothing is stored in', { ...header, settings: { ...settings, kvDtype: 'q8' } }],
    ['a mode without a buffer', { ...header, settings: { ...settings, mode: { mode: 'buffered' } } }],
    ['a seat that has read half a token', { ...header, seats: [{ ...header.seats[0], seen: 0.5 }] }],
    ['a version that is no number', { ...header, version: 'x'.repeat(300_000) }],
  ])('refuses %s', (_, value) => {
    expect(() => parse(value)).toThrow(
      expect.objectContaining({ code: 'TRIMKV_FORMAT', message: expect.stringMatching(/^.{1,200}$/s) }),
    )
  })

  it('takes no policy for one that has the name of a property of every object', () => {
    expect(() => optionsToRestore({ ...settings, policy: 'constructor' }, {})).toThrow(
      expect.objectContaining({ code: 'TRIMKV_SESSION_MISMATCH' }),
    )
  })
})
