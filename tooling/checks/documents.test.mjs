// @ts-check
import { describe, expect, it } from 'vitest'
import { checkExamples, checkLinks } from './documents.mjs'
import { sampleWorkspace } from './sample-workspace.mjs'

describe('checkLinks', () => {
  it('accepts links and paths that lead somewhere', () => {
    const text =
      'See [one](../packages/alpha/src/one.ts), [this](https://example.org/a) and `packages/alpha/src`.\n'
    expect(checkLinks(sampleWorkspace({ 'docs/guide.md': text }))).toEqual([])
  })

  it.each(['[gone](./gone.md)', '`packages/alpha/src/gone.ts`'])('reports %s', (text) => {
    expect(checkLinks(sampleWorkspace({ 'docs/guide.md': text }))).toEqual([
      expect.stringMatching(/^docs\/guide\.md: .*gone\.(md|ts) does not exist$/),
    ])
  })
})

describe('checkExamples', () => {
  /** @param {string} example @returns {string} a document that gives a name to its first block and imports it in the second */
  const guide = (example) =>
    `Write \`my-sum.ts\`:\n\n\`\`\`ts\nimport { one } from 'alpha'\nexport const sum = one + one\n\`\`\`\n\n\`\`\`ts\n${example}\n\`\`\`\n`

  /** @param {string} example */
  function problemsOf(example) {
    const root = sampleWorkspace({
      'docs/guide.md': guide(example),
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          strict: true,
          target: 'ES2022',
          module: 'NodeNext',
          customConditions: ['@trimkv/source'],
          allowImportingTsExtensions: true,
          types: [],
        },
      }),
    })
    return checkExamples(root)
  }

  it('accepts blocks that compile, names left to the reader included', () => {
    expect(problemsOf("import { sum } from './my-sum.ts'\nuse(sum.toFixed(), theirs)")).toEqual([])
  })

  it.each([
    ['an export that does not exist', "import { two } from 'alpha'", "has no exported member 'two'"],
    ['a wrong type', "import { one } from 'alpha'\none.toUpperCase()", "'toUpperCase' does not exist"],
    ['broken syntax', "import { one } from 'alpha'\nconst = one", 'Variable declaration expected'],
  ])('reports %s', (_, example, problem) => {
    expect(problemsOf(example)).toContainEqual(expect.stringContaining(problem))
  })
})
