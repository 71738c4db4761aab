// @ts-check
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { installProject, newestAiSdk, nodeLines } from '../pack/installed-project.mjs'
import { targetOfThis } from '../pack/platform-package.mjs'
import { runCommand } from '../setup/command.mjs'
import { readPackages } from '../workspace.mjs'
import { blocksOf, leftToReader } from './documents.mjs'

/** @typedef {import('../pack/installed-project.mjs').InstalledProject} InstalledProject */

/** @typedef {{ path: string, whole: boolean }} Example whole when it leaves nothing to its reader and can be run */

/**
 * Installs the packed packages into an empty project and uses them as their readers would: types, examples, workers, the command
 * line, on each line of Node.
 * @param {string} root
 * @returns {Promise<{ problems: string[], note?: string, skipped?: string }>}
 */
export async function checkInstalled(root) {
  try {
    targetOfThis()
  } catch (error) {
    return { problems: [], skipped: error instanceof Error ? error.message : String(error) }
  }
  const project = await installProject(root)
  try {
    const { examples, problems } = compileExamples(root, project)
    if (problems.length > 0) return { problems }
    const found = await Promise.all(nodeLines.map((line) => problemsOn(line, { project, examples })))
    const missing = await withoutAddon(root, project)
    const whole = examples.filter((example) => example.whole).length
    const note = `${examples.length} examples compiled, ${whole} run on Node ${nodeLines.join(' and ')}`
    return { problems: [...found.flat(), ...missing], note }
  } finally {
    project.remove()
  }
}

/**
 * Writes the examples of the repository and the blocks of every installed README into the project, and compiles them there.
 * @param {string} root
 * @param {InstalledProject} project
 */
function compileExamples(root, { folder, packages }) {
  /** @type {Map<string, string>} text by path */
  const texts = new Map()
  for (const { path } of readPackages(root)) {
    const examples = join(root, path, 'examples')
    for (const name of filesIn(examples)) {
      const text = readFileSync(join(examples, name), 'utf8')
      // One that imports its own package from source is in the README of the package with the package's name.
      if (!/from '\.\.\//.test(text)) texts.set(join(folder, 'src', path, name), text)
    }
  }
  for (const name of packages) {
    const readme = readFileSync(join(folder, 'node_modules', name, 'README.md'), 'utf8')
    for (const { text, line } of blocksOf(readme)) {
      // Those that are a whole file of the repository are there already.
      if ([...texts.values()].some((known) => known.endsWith(text))) continue
      texts.set(join(folder, 'src/readmes', name, `line-${line}.ts`), text)
    }
  }
  for (const [path, text] of texts) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  return compile(folder, [...texts.keys()])
}

/**
 * As `tsc` with everything strict, our declarations included; those of others have problems of their own.
 * @param {string} folder
 * @param {readonly string[]} files
 * @returns {{ examples: Example[], problems: string[] }}
 */
function compile(folder, files) {
  const program = ts.createProgram(files, {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    rewriteRelativeImportExtensions: true,
    typeRoots: [join(folder, 'node_modules/@types')],
    types: ['node'],
    rootDir: join(folder, 'src'),
    outDir: join(folder, 'out'),
  })
  program.emit()
  const found = ts.getPreEmitDiagnostics(program)
  const problems = found
    .filter(({ file, code }) => {
      const name = file ? relative(folder, file.fileName) : ''
      if (name.startsWith('src/')) return !leftToReader.has(code)
      return !file || /^node_modules\/(?:@trimkv\/|trimkv\/)/.test(name)
    })
    .map((diagnostic) => {
      const { file, start = 0, messageText } = diagnostic
      const line = file ? `:${file.getLineAndCharacterOfPosition(start).line + 1}` : ''
      const name = file ? relative(folder, file.fileName) : 'the project'
      return `${name}${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
  const unfinished = new Set(found.map(({ file }) => file?.fileName))
  const examples = files.map((file) => ({
    path: relative(join(folder, 'src'), file).replace(/\.ts$/, '.js'),
    whole: !unfinished.has(file) && !needsMore.test(file),
  }))
  return { examples, problems }
}

/** @param {string} folder */
const filesIn = (folder) => {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.ts'))
  } catch {
    return []
  }
}

/** What an example is given: a model, and gates, or where gates go. */
const argumentsOf = (/** @type {string} */ path) => [
  'models/Qwen3-0.6B',
  path.includes('train') ? 'trained' : 'gates/TrimKV-Qwen3',
]

/** Downloads from a server, and reads files of the reader's own: these are compiled alone. */
const needsMore = /readmes\/@trimkv\/(?:hub|trainer)\//

/**
 * @param {string} line of Node
 * @param {{ project: InstalledProject, examples: readonly Example[] }} context
 * @returns {Promise<string[]>} problems
 */
async function problemsOn(line, { project, examples }) {
  const node = project.node(line)
  const whole = examples.filter((example) => example.whole)
  const runs = [
    ['node', '-e', `if (!process.version.startsWith('v${line}.')) throw new Error(process.version)`],
    ...whole.map(({ path }) => ['node', join('../out', path), ...argumentsOf(path)]),
    ['node', '../two-workers.mjs'],
    ['node', '../stopped-worker.mjs'],
    ['node', '../quiet-imports.mjs', ...project.packages],
    ['node', '../required.cjs'],
    ...(line === '20' ? [] : [['node', '../newest-ai-sdk.mjs', newestAiSdk]]),
    ['npx', '--no-install', 'trimkv', 'doctor'],
    ['node', '../command-line.mjs'],
  ]
  const problems = []
  const env = {
    ...process.env,
    PATH: `${dirname(node)}${delimiter}${process.env.PATH}`,
    TRIMKV_NATIVE_PATH: '',
    NODE_OPTIONS: '',
    AI_SDK_LOG_WARNINGS: 'false',
  }
  for (const [program = '', ...args] of runs) {
    const path = program === 'node' ? node : program
    const { code, output } = await runCommand(path, args, { cwd: project.home(line), env, capture: true })
    if (code !== 0)
      problems.push(`Node ${line}: ${[program, ...args].join(' ')} ended with ${code}\n${output.trim()}`)
  }
  return problems
}

/**
 * @param {string} root
 * @param {InstalledProject} project
 * @returns {Promise<string[]>} problems
 */
async function withoutAddon(root, { folder, platformPackage }) {
  renameSync(join(folder, 'node_modules', platformPackage), join(folder, 'put aside'))
  const addon = join(root, 'packages/tensor/build/trimkv.node')
  const cases = [[`npm install ${platformPackage}`], ['none is published for this system', 'darwin']]
  const problems = []
  for (const [text = '', ...system] of cases) {
    const args = ['without-addon.mjs', addon, text, ...system]
    const { code, output } = await runCommand(process.execPath, args, { cwd: folder, capture: true })
    if (code !== 0) problems.push(`without ${platformPackage}, wanting "${text}": ${output.trim()}`)
  }
  return problems
}
