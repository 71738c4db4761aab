// @ts-check
import ts from 'typescript'
import { lineOf, parseSource } from './parsed-source.mjs'

/** @typedef {import('./size.mjs').Measure} Measure */

/**
 * Every function of a TypeScript file. The bodies of `describe` are lists of tests and not measured; the parameters of
 * a callback written in place are somebody else's choice and not counted.
 * @param {string} file
 * @returns {Measure[]}
 */
export function measureTypeScript(file) {
  const source = parseSource(file)
  /** @type {Measure[]} */
  const measures = []
  const visit = (/** @type {ts.Node} */ node) => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body && !isSuite(node)) {
      const end = source.getLineAndCharacterOfPosition(node.end).line + 1
      const line = lineOf(source, node)
      const parameters = isCallback(node)
        ? 0
        : node.parameters.filter((parameter) => !isThis(parameter)).length
      measures.push({ name: nameOf(node), line, lines: end - line + 1, parameters })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return measures
}

/** @param {ts.Node} node */
const isCallback = (node) =>
  ts.isCallExpression(node.parent) && node.parent.arguments.some((argument) => argument === node)

/** @param {ts.Node} node */
const isSuite = (node) =>
  isCallback(node) && /^describe\b/.test(/** @type {ts.CallExpression} */ (node.parent).expression.getText())

/** @param {ts.ParameterDeclaration} parameter */
const isThis = (parameter) => parameter.name.getText() === 'this'

/** @param {ts.Node & { name?: ts.Node | undefined }} node */
function nameOf(node) {
  const named =
    node.name ??
    (ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent)
      ? node.parent.name
      : undefined)
  return named?.getText() ?? (ts.isConstructorDeclaration(node) ? 'constructor' : 'a function')
}
