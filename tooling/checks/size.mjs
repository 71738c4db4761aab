// @ts-check
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { listFiles, readPackages } from '../workspace.mjs'
import { measureCpp } from './size-cpp.mjs'
import { measureTypeScript } from './size-typescript.mjs'

/** Raising one of these is a decision to write down in docs/decisions. */
const limits = {
  typescriptFileLines: 400,
  cppFileLines: 500,
  functionLines: 80,
  positionalParameters: 3,
}

/**
 * @typedef {object} Measure one function
 * @property {string} name
 * @property {number} line where it starts
 * @property {number} lines
 * @property {number} parameters positional ones; 0 where they are not counted
 */

/** @typedef {{ path: string, lines: number, isCpp: boolean, functions: Measure[] }} MeasuredFile */

/**
 * Measures files, functions and parameter lists against the limits.
 * @param {string} root
 * @returns {{ problems: string[], table: string }} the table has one row per package
 */
export function checkSize(root) {
  const packages = readPackages(root).map((entry) => ({
    ...entry,
    files: measurePackage(root, entry.folder),
  }))
  return {
    problems: packages.flatMap(({ files }) => files.flatMap(problemsOf)),
    table: sizeTable(packages.filter(({ files }) => files.length > 0)),
  }
}

/** @param {string} root @param {string} folder @returns {MeasuredFile[]} */
const measurePackage = (root, folder) =>
  listFiles(folder, (path) => /\.(ts|tsx|mjs|cc|h)$/.test(path)).map((file) => {
    const isCpp = /\.(cc|h)$/.test(file)
    const text = readFileSync(file, 'utf8')
    return {
      path: relative(root, file),
      lines: text.split('\n').length - 1,
      isCpp,
      functions: isCpp ? measureCpp(text) : measureTypeScript(file),
    }
  })

/** @param {MeasuredFile} file */
function problemsOf({ path, lines, isCpp, functions }) {
  const cap = isCpp ? limits.cppFileLines : limits.typescriptFileLines
  const tooLong = functions.filter((measure) => measure.lines > limits.functionLines)
  const tooWide = functions.filter((measure) => measure.parameters > limits.positionalParameters)
  return [
    ...(lines > cap ? [`${path} has ${lines} lines, the limit is ${cap}`] : []),
    ...tooLong.map(
      ({ name, line, lines: length }) =>
        `${path}:${line} ${name} has ${length} lines, the limit is ${limits.functionLines}`,
    ),
    ...tooWide.map(
      ({ name, line, parameters }) =>
        `${path}:${line} ${name} has ${parameters} positional parameters, the limit is ${limits.positionalParameters}: take an object`,
    ),
  ]
}

/** @param {readonly { name: string, files: readonly MeasuredFile[] }[]} packages */
function sizeTable(packages) {
  const header = ['package', 'files', 'lines', 'median', 'longest file', 'longest function']
  const rows = packages.map(({ name, files }) => {
    const lengths = files.map(({ lines }) => lines).sort((a, b) => a - b)
    const functions = files.flatMap((file) => file.functions.map(({ lines }) => lines))
    return [
      name,
      files.length,
      lengths.reduce((sum, lines) => sum + lines, 0),
      lengths[Math.floor(lengths.length / 2)] ?? 0,
      lengths.at(-1) ?? 0,
      Math.max(0, ...functions),
    ].map(String)
  })
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  return [header, ...rows]
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .join('\n')
}
