// @ts-check
import { describe, expect, it } from 'vitest'
import { sampleWorkspace } from './sample-workspace.mjs'
import { checkSize } from './size.mjs'

const lines = (/** @type {number} */ count, line = '') => `${line}\n`.repeat(count)
const problemsOf = (/** @type {string} */ name, /** @type {string} */ text) =>
  checkSize(sampleWorkspace({ [`packages/alpha/src/${name}`]: text })).problems

describe('checkSize', () => {
  it('accepts small files and prints a row per package', () => {
    const { problems, table } = checkSize(sampleWorkspace())
    expect(problems).toEqual([])
    expect(table.split('\n').map((row) => row.split(/\s+/)[0])).toEqual(['package', 'alpha', 'beta'])
  })

  it.each([
    ['long.ts', 400],
    ['long.cc', 500],
  ])('limits the lines of %s to %d', (name, limit) => {
    expect(problemsOf(name, lines(limit))).toEqual([])
    expect(problemsOf(name, lines(limit + 1))).toEqual([
      `packages/alpha/src/${name} has ${limit + 1} lines, the limit is ${limit}`,
    ])
  })

  it('limits the lines of a TypeScript function', () => {
    const functionOf = (/** @type {number} */ count) => `\nfunction long() {\n${lines(count - 2)}}\n`
    expect(problemsOf('long.ts', functionOf(80))).toEqual([])
    expect(problemsOf('long.ts', functionOf(81))).toEqual([
      'packages/alpha/src/long.ts:2 long has 81 lines, the limit is 80',
    ])
  })

  it('measures each test and not the list of them', () => {
    const list = `describe('a', () => {\n${lines(90)}})\n`
    const test = `it('a', () => {\n${lines(90)}})\n`
    expect(problemsOf('list.test.ts', list)).toEqual([])
    expect(problemsOf('one.test.ts', test)).toEqual([
      'packages/alpha/src/one.test.ts:1 a function has 92 lines, the limit is 80',
    ])
  })

  it('limits positional parameters, but not those of a callback', () => {
    expect(problemsOf('many.ts', "'a'.replace(/a/, (a, b, c, d) => a)\n")).toEqual([])
    expect(problemsOf('many.ts', 'const many = (a, b, c, d) => a\n')).toEqual([
      'packages/alpha/src/many.ts:1 many has 4 positional parameters, the limit is 3: take an object',
    ])
  })

  it('limits the lines of a C++ function, whatever stands around it', () => {
    const source = (/** @type {number} */ count) => `
namespace trimkv {
struct Row { int a; };
class Table {
  Table(int rows) : rows_(rows) { if (rows) { rows_ = 1; } }  // a { in a comment
  static const char* name() { return "}{"; }
  Status fill(View out, const std::function<int(int)>& at) const {
${lines(count - 2, '    for (int i = 0; i < 2; i++) { out.data[i] = at(i); }')}  }
};
}
`
    expect(problemsOf('table.cc', source(80))).toEqual([])
    expect(problemsOf('table.cc', source(81))).toEqual([
      'packages/alpha/src/table.cc:7 fill has 81 lines, the limit is 80',
    ])
  })
})
