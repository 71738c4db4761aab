// @ts-check
import { describe, expect, it } from 'vitest'
import { tallyOf } from './tally.mjs'

/** @param {readonly { state: string, note?: string }[]} results @param {readonly unknown[]} [errors] */
const moduleOf = (results, errors = []) => ({
  relativeModuleId: 'a.test.ts',
  errors: () => errors,
  children: { allTests: () => results.map((result) => ({ fullName: 'works', result: () => result })) },
})

describe('tallyOf', () => {
  it('counts what passed and what did not', () => {
    const modules = [moduleOf([{ state: 'passed' }, { state: 'failed' }]), moduleOf([{ state: 'passed' }])]
    expect(tallyOf(modules, [])).toEqual({ passed: 2, failed: 1, skipped: [], refused: [] })
  })

  it('lists what was skipped for a reason', () => {
    const tally = tallyOf([moduleOf([{ state: 'skipped', note: 'no GPU on this machine' }])], [])
    expect(tally).toEqual({
      passed: 0,
      failed: 0,
      skipped: ['a.test.ts > works: no GPU on this machine'],
      refused: [],
    })
  })

  it.each([undefined, 'the native core is missing'])('fails a test that was skipped: %s', (note) => {
    const tally = tallyOf([moduleOf([{ state: 'skipped', ...(note && { note }) }])], [])
    expect(tally).toMatchObject({ failed: 1, skipped: [] })
    expect(tally.refused).toEqual([`a.test.ts > works: ${note ?? 'no reason given'}`])
  })

  it('fails a test that a crash left unfinished', () => {
    expect(tallyOf([moduleOf([{ state: 'pending' }])], [])).toMatchObject({ passed: 0, failed: 1 })
  })

  it('counts errors outside of tests', () => {
    expect(tallyOf([moduleOf([{ state: 'passed' }], ['import'])], ['stray'])).toMatchObject({ failed: 2 })
  })

  it('fails a run without tests', () => {
    expect(tallyOf([], [])).toMatchObject({ passed: 0, failed: 1 })
  })
})
