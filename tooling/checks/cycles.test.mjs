// @ts-check
import { describe, expect, it } from 'vitest'
import { checkCycles } from './cycles.mjs'
import { sampleWorkspace } from './sample-workspace.mjs'

describe('checkCycles', () => {
  it('accepts files that import one way', () => {
    expect(checkCycles(sampleWorkspace())).toEqual([])
  })

  it('accepts a type imported back, which is gone at run time', () => {
    const root = sampleWorkspace({
      'packages/alpha/src/one.ts': "import { two } from './two.ts'\nexport const one = two\n",
      'packages/alpha/src/two.ts': "import type { one } from './one.ts'\nexport const two = 2\n",
    })
    expect(checkCycles(root)).toEqual([])
  })

  it('names the files of a circle once', () => {
    const root = sampleWorkspace({
      'packages/alpha/src/one.ts': "import { two } from './two.ts'\nexport const one = two\n",
      'packages/alpha/src/two.ts': "import { three } from './three.ts'\nexport const two = three\n",
      'packages/alpha/src/three.ts': "import { one } from './one.ts'\nexport const three = () => one\n",
    })
    expect(checkCycles(root)).toEqual([
      'packages/alpha/src/one.ts → packages/alpha/src/two.ts → packages/alpha/src/three.ts → packages/alpha/src/one.ts',
    ])
  })
})
