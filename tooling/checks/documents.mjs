// @ts-check
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import ts from 'typescript'
import { listFiles, readPackages } from '../workspace.mjs'

/** Unknown names, shorthand properties and parameter types: what an example leaves to its reader. */
export const leftToReader = new Set([2304, 2582, 2593, 18004, 7006])

/**
 * @param {string} root
 * @returns {string[]} every document that people read, absolute
 */
const documentsOf = (root) => [
  ...['README.md', 'AGENTS.md'].map((name) => join(root, name)).filter((path) => existsSync(path)),
  ...listFiles(join(root, 'docs'), (path) => path.endsWith('.md')),
  ...readPackages(root)
    .map(({ folder }) => join(folder, 'README.md'))
    .filter((path) => existsSync(path)),
]

/**
 * Links lead somewhere, and so does every path of this repository that is written as code.
 * @param {string} root
 * @returns {string[]} problems
 */
export function checkLinks(root) {
  return documentsOf(root).flatMap((file) => {
    const text = readFileSync(file, 'utf8')
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map((match) =>
      resolve(dirname(file), match[1] ?? ''),
    )
    const paths = [...text.matchAll(/`((?:packages|apps|docs|tooling|e2e|bench)\/[\w./-]*\w)\/?`/g)].map(
      (match) => join(root, match[1] ?? ''),
    )
    return [...links, ...paths]
      .filter((target) => !existsSync(target))
      .map((target) => `${relative(root, file)}: ${relative(root, target)} does not exist`)
  })
}

/**
 * TypeScript blocks that import something compile, as a user of the packages would compile them. Those of a package's README may
 * import its `examples` by `./name.ts`, and so may every block the blocks before it that the text introduces by such a name.
 * @param {string} root
 * @returns {string[]} problems
 */
export function checkExamples(root) {
  /** @type {Map<string, { text: string, origin: string }>} */
  const examples = new Map()
  for (const file of documentsOf(root)) {
    const folder =
      basename(file) === 'README.md' ? join(dirname(file), 'examples') : file.replace(/\.md$/, '')
    for (const { text, line, name } of blocksOf(readFileSync(file, 'utf8'))) {
      const path = join(folder, name ?? `line-${line}.ts`)
      examples.set(path, { text, origin: `${relative(root, file)}:${line}` })
    }
  }
  return examples.size === 0 ? [] : compile(root, examples)
}

/**
 * What the packages of the workspace export, from source, so that an example may use all of them.
 * @param {string} root
 * @returns {Record<string, string[]>} compiler option `paths`
 */
const sourcePaths = (root) =>
  Object.fromEntries(
    readPackages(root).flatMap(({ name, folder, manifest }) =>
      Object.entries(manifest.exports ?? {}).flatMap(([key, target]) => {
        const source = Object(target)['@trimkv/source']
        return source ? [[name + key.slice(1), [join(folder, source)]]] : []
      }),
    ),
  )

/**
 * The TypeScript blocks of a document that import something.
 * @param {string} markdown
 */
export function* blocksOf(markdown) {
  for (const match of markdown.matchAll(/^```ts\n([\s\S]*?)^```/gm)) {
    const text = match[1] ?? ''
    const before = markdown.slice(0, match.index)
    const name = /`([\w-]+\.ts)`[^`]*\n\s*$/.exec(before)?.[1]
    if (/^import /m.test(text)) yield { text, line: before.split('\n').length, name }
  }
}

/**
 * @param {string} root
 * @param {ReadonlyMap<string, { text: string, origin: string }>} examples
 */
function compile(root, examples) {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root)
  const settings = {
    ...options,
    paths: sourcePaths(root),
    isolatedDeclarations: false,
    declaration: false,
    noEmit: true,
  }
  const host = ts.createCompilerHost(settings)
  const { fileExists, readFile, directoryExists } = host
  host.fileExists = (path) => examples.has(path) || fileExists(path)
  host.readFile = (path) => examples.get(path)?.text ?? readFile(path)
  host.directoryExists = (path) =>
    [...examples.keys()].some((file) => file.startsWith(`${path}/`)) || (directoryExists?.(path) ?? true)

  const program = ts.createProgram([...examples.keys()], settings, host)
  return [...examples].flatMap(([path, { origin }]) => {
    const source = program.getSourceFile(path)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return found
      .filter(({ code }) => !leftToReader.has(code))
      .map(({ messageText, start = 0 }) => {
        const line = source ? source.getLineAndCharacterOfPosition(start).line + 1 : 0
        return `${origin} line ${line} of the example: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
      })
  })
}
