// @ts-check
import { dirname, relative, resolve } from 'node:path'
import { listFiles, readPackages } from '../workspace.mjs'
import { importsOf, parseSource } from './parsed-source.mjs'

/**
 * Finds files that import each other in a circle at run time. Circles between packages cannot pass the table of imports.
 * @param {string} root
 * @returns {string[]} one problem per circle
 */
export function checkCycles(root) {
  const files = readPackages(root).flatMap(({ folder }) =>
    listFiles(folder, (path) => /\.(ts|tsx|mjs)$/.test(path)),
  )
  /** @type {Map<string, string[]>} */
  const graph = new Map(files.map((file) => [file, relativeImports(file)]))
  /** @type {Set<string>} */
  const finished = new Set()
  /** @type {string[]} */
  const problems = []

  /** @param {string} file @param {readonly string[]} path */
  const visit = (file, path) => {
    if (path.includes(file)) {
      const circle = [...path.slice(path.indexOf(file)), file]
      problems.push(circle.map((entry) => relative(root, entry)).join(' → '))
      return
    }
    if (finished.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    finished.add(file)
  }
  for (const file of files) visit(file, [])
  return problems
}

/** @param {string} file */
const relativeImports = (file) =>
  importsOf(parseSource(file))
    .filter(({ specifier, isTypeOnly }) => specifier.startsWith('.') && !isTypeOnly)
    .map(({ specifier }) => resolve(dirname(file), specifier))
