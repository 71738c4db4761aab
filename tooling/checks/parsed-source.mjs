// @ts-check
import { readFileSync } from 'node:fs'
import ts from 'typescript'

/**
 * @typedef {object} ImportStatement
 * @property {string} specifier as written
 * @property {boolean} isTypeOnly erased by the compiler
 * @property {number} line
 */

/**
 * @param {string} file
 * @returns {ts.SourceFile}
 */
export const parseSource = (file) =>
  ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)

/**
 * Line of a node, counted from 1.
 * @param {ts.SourceFile} source
 * @param {ts.Node} node
 */
export const lineOf = (source, node) => source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1

/**
 * Every import, re-export, dynamic import and `import('x')` type of a file.
 * @param {ts.SourceFile} source
 * @returns {ImportStatement[]}
 */
export function importsOf(source) {
  /** @type {ImportStatement[]} */
  const found = []
  const add = (/** @type {ts.Node | undefined} */ specifier, /** @type {boolean} */ isTypeOnly) => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return
    found.push({ specifier: specifier.text, isTypeOnly, line: lineOf(source, specifier) })
  }
  const visit = (/** @type {ts.Node} */ node) => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    } else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal, true)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}
