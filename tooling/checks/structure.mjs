// @ts-check
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { listFiles, readPackages } from '../workspace.mjs'

/** @typedef {import('../workspace.mjs').Package} Package */

const kebabCase = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)+$/
const nameless = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'shared'])

/**
 * Every package has the same shape, every file a name that says what it holds, every extension point its one list.
 * @param {string} root
 * @returns {string[]} problems
 */
export function checkStructure(root) {
  const packages = readPackages(root)
  return [
    ...packages.filter(({ path }) => path.startsWith('packages/')).flatMap(packageProblems),
    ...packages.flatMap(({ folder }) => nameProblems(root, folder)),
    ...opProblems(root),
    ...listProblems(root, 'packages/cache/src/policies'),
  ]
}

/** @param {Package} entry */
function packageProblems({ folder, path, manifest }) {
  const isPublic = manifest.private !== true
  /** @type {Record<string, unknown>} */
  const fixed = { type: 'module', license: 'Apache-2.0', ...(isPublic && { sideEffects: false }) }
  const wrongFields = Object.entries(fixed).filter(([field, value]) => manifest[field] !== value)
  const present = ['name', 'version', 'description', 'engines', 'exports', ...(isPublic ? ['files'] : [])]
  const files = ['src/index.ts', 'tsconfig.json', 'README.md', ...(isPublic ? ['tsup.config.ts'] : [])]
  const index = join(folder, 'src/index.ts')
  return [
    ...wrongFields.map(
      ([field, value]) => `${path}/package.json: "${field}" must be ${JSON.stringify(value)}`,
    ),
    ...present
      .filter((field) => !(field in manifest))
      .map((field) => `${path}/package.json: "${field}" is missing`),
    ...(isPublic ? exportProblems(path, manifest.exports ?? {}) : []),
    ...files.filter((file) => !existsSync(join(folder, file))).map((file) => `${path}/${file} is missing`),
    ...(/^export \*/m.test(textOf(index))
      ? [`${path}/src/index.ts: name each export, \`export *\` hides what is public`]
      : []),
  ]
}

/**
 * @param {string} path
 * @param {Record<string, unknown>} exports
 */
const exportProblems = (path, exports) =>
  Object.entries(exports)
    .filter(([, target]) => Object.keys(Object(target)).join() !== '@trimkv/source,types,default')
    .map(
      ([key]) =>
        `${path}/package.json: exports["${key}"] must have "@trimkv/source", "types" and "default", in this order`,
    )

/**
 * @param {string} root
 * @param {string} folder
 */
function nameProblems(root, folder) {
  return listFiles(folder, (path) => /\.(ts|tsx|mjs|cc|h)$/.test(path)).flatMap((file) => {
    const name = basename(file)
    const lastWord = name.split('.')[0]?.split('-').at(-1) ?? ''
    if (!kebabCase.test(name)) return [`${relative(root, file)}: file names are kebab-case`]
    return nameless.has(lastWord)
      ? [`${relative(root, file)}: "${lastWord}" says nothing, name what the file holds`]
      : []
  })
}

/** @param {string} root */
function opProblems(root) {
  const folder = join(root, 'packages/tensor/src/ops')
  if (!existsSync(folder)) return []
  const lists = { 'index.ts': 'ts', 'cases.ts': 'cases.ts' }
  const ops = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return ops.flatMap(({ name: op }) => [
    ...['ts', 'ref.ts', 'cases.ts']
      .filter((ending) => !existsSync(join(folder, op, `${op}.${ending}`)))
      .map((ending) => `packages/tensor/src/ops/${op}/${op}.${ending} is missing`),
    ...Object.entries(lists)
      .filter(([list, ending]) => !textOf(join(folder, list)).includes(`'./${op}/${op}.${ending}'`))
      .map(([list]) => `packages/tensor/src/ops/${list} does not list ${op}`),
  ])
}

/**
 * Every source file of a folder is imported by the folder's index.
 * @param {string} root
 * @param {string} folder
 */
function listProblems(root, folder) {
  const path = join(root, folder)
  if (!existsSync(path)) return []
  const list = textOf(join(path, 'index.ts'))
  return readdirSync(path)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && name !== 'index.ts')
    .filter((name) => !list.includes(`'./${name}'`))
    .map((name) => `${folder}/index.ts does not list ${name}`)
}

/** @param {string} file */
const textOf = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')
