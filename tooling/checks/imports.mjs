// @ts-check
import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { listFiles, readPackages } from '../workspace.mjs'
import { importsOf, parseSource } from './parsed-source.mjs'

/** @typedef {import('../workspace.mjs').Package} Package */

/**
 * Who may import whom: `mayImport` at run time, `mayImportTypesOf` with `import type`, `developmentOnly` from tests and configs.
 * @typedef {object} ImportTable
 * @property {Record<string, readonly string[]>} mayImport
 * @property {Record<string, readonly string[]>} mayImportTypesOf
 * @property {readonly string[]} developmentOnly
 */

const developmentFile = /\.(test|test-d|bench)\.ts$|\.config\.ts$|\/(test|examples)\//
const developmentPackage = /^(tooling|e2e|bench)$/

/**
 * Compares every package.json and every import statement with the table, and finds undeclared and deep imports.
 * @param {string} root
 * @param {ImportTable} [table]
 * @returns {string[]} problems
 */
export function checkImports(root, table = readTable()) {
  const packages = new Map(readPackages(root).map((entry) => [entry.name, entry]))
  const shared = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies ?? {}
  const problems = []
  for (const name of Object.keys(table.mayImport)) {
    if (!packages.has(name)) problems.push(`tooling/checks/imports.json: ${name} is not in the workspace`)
  }
  for (const entry of packages.values()) {
    if (!table.mayImport[entry.name]) {
      problems.push(`${entry.path}: add ${entry.name} to tooling/checks/imports.json with what it may import`)
      continue
    }
    problems.push(...manifestProblems(entry, { packages, table }))
    for (const file of listFiles(entry.folder, (path) => /\.(ts|tsx|mjs)$/.test(path))) {
      problems.push(...fileProblems(file, { root, entry, packages, table, shared }))
    }
  }
  return problems
}

/** @returns {ImportTable} */
const readTable = () => JSON.parse(readFileSync(new URL('imports.json', import.meta.url), 'utf8'))

/**
 * @param {Package} entry
 * @param {{ packages: Map<string, Package>, table: ImportTable }} context
 */
function manifestProblems(entry, { packages, table }) {
  const allowed = [...(table.mayImport[entry.name] ?? []), ...(table.mayImportTypesOf[entry.name] ?? [])]
  const declared = Object.keys(entry.manifest.dependencies ?? {}).filter((name) => packages.has(name))
  return declared
    .filter(
      (name) => !allowed.includes(name) && !(isDevelopment(entry) && table.developmentOnly.includes(name)),
    )
    .map((name) => `${entry.path}/package.json: ${entry.name} may not depend on ${name}`)
}

/** @param {Package} entry */
const isDevelopment = (entry) => developmentPackage.test(entry.path)

/**
 * @param {string} file
 * @param {{ root: string, entry: Package, packages: Map<string, Package>, table: ImportTable, shared: Record<string, string> }} context
 */
function fileProblems(file, { root, entry, packages, table, shared }) {
  const { manifest } = entry
  const inDevelopment = developmentFile.test(file) || isDevelopment(entry)
  const declared = {
    ...manifest.dependencies,
    ...manifest.optionalDependencies,
    ...manifest.peerDependencies,
    ...(inDevelopment && { ...manifest.devDependencies, ...shared }),
  }

  /** @param {import('./parsed-source.mjs').ImportStatement} statement */
  const problemOf = ({ specifier, isTypeOnly }) => {
    if (specifier.startsWith('node:')) return undefined
    if (specifier.startsWith('.')) {
      const target = resolve(dirname(file), specifier)
      return relative(entry.folder, target).startsWith('..')
        ? `imports ${specifier}, outside its package`
        : undefined
    }
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
    const target = packages.get(name)
    if (name === entry.name && inDevelopment && isExported(entry, specifier)) return undefined
    if (!(name in declared)) return `imports ${name}, which its package.json does not declare`
    if (!target) return undefined
    if (!isExported(target, specifier)) return `imports ${specifier}, which ${name} does not export`
    if (table.mayImport[entry.name]?.includes(name)) return undefined
    if (table.mayImportTypesOf[entry.name]?.includes(name)) {
      return isTypeOnly ? undefined : `may import only types of ${name}: write \`import type\``
    }
    if (table.developmentOnly.includes(name)) {
      return inDevelopment ? undefined : `imports ${name}, which is for tests and configs only`
    }
    return `may not import ${name}`
  }

  return importsOf(parseSource(file)).flatMap((statement) => {
    const problem = problemOf(statement)
    return problem ? [`${relative(root, file)}:${statement.line} ${problem}`] : []
  })
}

/**
 * @param {Package} target
 * @param {string} specifier
 */
function isExported(target, specifier) {
  const wanted = `.${specifier.slice(target.name.length)}`
  return Object.keys(target.manifest.exports ?? {}).some((key) => {
    const [before = '', after] = key.split('*')
    return after === undefined ? key === wanted : wanted.startsWith(before) && wanted.endsWith(after)
  })
}
