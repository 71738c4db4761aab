// @ts-check
import { describe, expect, it } from 'vitest'
import { checkErrorCodes } from './error-codes.mjs'
import { samplePackage, sampleWorkspace } from './sample-workspace.mjs'

const sample = {
  'packages/tensor/package.json': samplePackage('tensor'),
  'packages/tensor/src/errors.ts': "export type ErrorCode =\n  | 'T_ONE'\n  | 'T_TWO'\n",
  'packages/tensor/src/index.ts': "fail('T_ONE')\nfail('T_TWO')\n",
  'docs/errors.md': '# Errors\n\n## T_ONE\n\n## T_TWO\n',
}

describe('checkErrorCodes', () => {
  it('accepts codes that are documented and reported', () => {
    expect(checkErrorCodes(sampleWorkspace(sample))).toEqual([])
  })

  it.each([
    ['an undocumented code', 'docs/errors.md', '## T_ONE\n', 'docs/errors.md: no section "## T_TWO"'],
    [
      'a documented code that is gone',
      'docs/errors.md',
      '## T_ONE\n## T_TWO\n## T_OLD\n',
      'docs/errors.md: T_OLD does not exist',
    ],
    [
      'a code that nothing reports',
      'packages/tensor/src/index.ts',
      "fail('T_ONE')",
      'packages/tensor/src/errors.ts: T_TWO is never reported',
    ],
  ])('reports %s', (_, path, text, problem) => {
    expect(checkErrorCodes(sampleWorkspace({ ...sample, [path]: text }))).toEqual([problem])
  })
})
