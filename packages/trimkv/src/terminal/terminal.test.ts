import { stripVTControlCharacters } from 'node:util'
import { TrimError } from '@trimkv/tensor'
import picocolors from 'picocolors'
import { describe, expect, it } from 'vitest'
import { errorText } from './error-text.ts'
import { exitCodeOf } from './exit-code.ts'
import { bytesText, countText, durationText, numberText } from './number-text.ts'
import { paintedTokens } from './painted-tokens.ts'
import { startProgress } from './progress.ts'
import { tableText } from './table-text.ts'
import { createTerminal, type Verbosity } from './terminal.ts'

const plain = picocolors.createColors(false)
const colored = picocolors.createColors(true)

function fakeTerminal({ isTTY = false, env = {}, verbosity = 'normal' as Verbosity } = {}) {
  const written = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr') => ({
    isTTY,
    write: (text: string) => {
      written[name] += text
      return true
    },
  })
  const streams = { stdout: stream('stdout'), stderr: stream('stderr') }
  return { terminal: createTerminal(streams, env, verbosity), written }
}

describe('createTerminal', () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [false, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
  ])('with a tty %s and %o has colours: %s', (isTTY, env, expected) => {
    expect(fakeTerminal({ isTTY, env }).terminal.colors.isColorSupported).toBe(expected)
  })

  it('keeps data and talk apart, and says nothing but warnings when quiet', () => {
    const { terminal, written } = fakeTerminal({ verbosity: 'quiet' })
    terminal.data('data')
    terminal.say('talk')
    terminal.warn('careful')
    expect(written).toEqual({ stdout: 'data', stderr: 'careful\n' })
  })

  it('redraws lines on a terminal only, and never in CI', () => {
    expect(fakeTerminal({ isTTY: true }).terminal.live).toBe(true)
    expect(fakeTerminal({ isTTY: true, env: { CI: '1' } }).terminal.live).toBe(false)
    expect(fakeTerminal().terminal.live).toBe(false)
  })
})

describe('errorText', () => {
  const error = new TrimError('TRIMKV_GATES_MISMATCH', {
    what: 'Gates do not fit this model',
    why: ['gates  have 36 layers', 'model  has 28 layers'],
    hint: '--gates other',
  })

  it('puts what and code on one line, then why, then what to do, without a stack', () => {
    const lines = errorText(error, { colors: plain, columns: 100, verbose: false }).split('\n')
    expect(lines[0]).toMatch(/^✖ Gates do not fit this model {2,}TRIMKV_GATES_MISMATCH$/)
    expect(lines[0]).toHaveLength(100)
    expect(lines.slice(1)).toEqual(['  gates  have 36 layers', '  model  has 28 layers', '  → --gates other'])
  })

  it('adds the stack when verbose', () => {
    expect(errorText(error, { colors: plain, columns: 100, verbose: true })).toContain('terminal.test.ts')
  })

  it('shows an unexpected error by its message', () => {
    expect(errorText(new Error('boom'), { colors: plain, columns: 80, verbose: false })).toMatch(
      /^✖ boom .*UNEXPECTED\n.*-v/,
    )
  })
})

it('maps error codes to exit codes', () => {
  const code = (name: ConstructorParameters<typeof TrimError>[0]) =>
    exitCodeOf(new TrimError(name, { what: '' }))
  expect(code('TRIMKV_OPTION')).toBe(2)
  expect(code('TRIMKV_CONFIG_INVALID')).toBe(3)
  expect(code('TRIMKV_NOT_FOUND')).toBe(4)
  expect(code('TRIMKV_NATIVE_MISSING')).toBe(5)
  expect(code('TRIMKV_ABORTED')).toBe(130)
  expect(code('TRIMKV_INVARIANT')).toBe(1)
  expect(exitCodeOf(new Error('x'))).toBe(1)
})

describe('numbers', () => {
  it('have three significant digits, units and thin spaces', () => {
    expect([numberText(0.01234), numberText(12.345), numberText(999.6), numberText(0)]).toEqual([
      '0.0123',
      '12.3',
      '1\u2009000',
      '0.00',
    ])
    expect(numberText(undefined)).toBe('—')
    expect(countText(1234567)).toBe('1\u2009234\u2009567')
    expect([bytesText(12), bytesText(56 * 2 ** 20), bytesText(1536)]).toEqual([
      '12 B',
      '56.0 MiB',
      '1.50 KiB',
    ])
    expect([durationText(870), durationText(12_340), durationText(245_000)]).toEqual([
      '870 ms',
      '12.3 s',
      '4 min 05 s',
    ])
  })
})

describe('tableText', () => {
  it('aligns columns by what is visible', () => {
    const table = tableText(
      [{ header: 'policy' }, { header: 'n', align: 'right' }],
      [
        [colored.bold('full'), '7'],
        ['trimkv', '128'],
      ],
    )
    expect(stripVTControlCharacters(table)).toBe('policy    n\n──────  ───\nfull      7\ntrimkv  128')
  })
})

describe('paintedTokens', () => {
  const tokens = [
    { text: 'put', kept: true },
    { text: ' key', kept: true },
    { text: ' barn', kept: false },
    { text: ' .\nfind', kept: true },
  ]

  it('puts kept runs in brackets without colours', () => {
    expect(paintedTokens(tokens, { colors: plain, columns: 80 })).toBe('[put key] barn[ .]\n[find]')
  })

  it('makes kept runs bold and evicted ones dim with colours', () => {
    const text = paintedTokens(tokens.slice(0, 3), { colors: colored, columns: 80 })
    expect(text).toBe(colored.bold(colored.underline('put key')) + colored.dim(' barn'))
  })

  it('breaks lines before the token that does not fit', () => {
    expect(paintedTokens(tokens.slice(0, 3), { colors: plain, columns: 8 })).toBe('[put key]\nbarn')
  })
})

describe('startProgress', () => {
  it('writes a line every ten seconds where lines cannot be redrawn', () => {
    const { terminal, written } = fakeTerminal()
    let time = 0
    const progress = startProgress(terminal, { label: 'prefill', unit: 'tokens', now: () => time })
    for (time = 1000; time <= 21_000; time += 1000) progress.update(time / 1000, 42)
    expect(written.stderr.trim().split('\n')).toEqual([
      'prefill 10/42 tokens, 32.0 s left',
      'prefill 20/42 tokens, 22.0 s left',
    ])
  })

  it('leaves alone what is written after it', () => {
    const { terminal, written } = fakeTerminal({ isTTY: true })
    using progress = startProgress(terminal, { label: 'prompt' })
    progress.update(1, 1)
    terminal.data('one')
    const before = written.stderr
    progress[Symbol.dispose]()
    terminal.data(' two')
    terminal.say('')
    expect(written.stderr).toBe(`${before}\n`)
    expect(before.endsWith('\r\u001b[K')).toBe(true)
  })

  it('redraws on a terminal and clears its line at the end', () => {
    const { terminal, written } = fakeTerminal({ isTTY: true })
    const progress = startProgress(terminal, { label: 'load' })
    progress.update(1, 2)
    progress[Symbol.dispose]()
    expect(written.stderr).toMatch(/load 1\/2/)
    expect(written.stderr.endsWith('\r\u001b[K')).toBe(true)
  })
})
