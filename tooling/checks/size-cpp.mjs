// @ts-check

/** @typedef {import('./size.mjs').Measure} Measure */

/** What stands before the brace of a function: a name, a parameter list, then perhaps qualifiers, a return type or initialisers. */
const functionHeader =
  /([\w~]+(?:::[\w~]+)*)\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\s*(?:const|noexcept|override|final|\s)*(?:->\s*[\w:<>,&*\s]+)?(?::[^:][^;]*)?$/
const notFunctions = new Set(['if', 'for', 'while', 'switch', 'catch', 'defined', 'alignas', 'decltype'])

/**
 * The functions of a C++ file, found by matching braces: a heuristic that knows no macros and no templates. A lambda counts
 * as part of the function around it.
 * @param {string} text
 * @returns {Measure[]}
 */
export function measureCpp(text) {
  const code = withoutCommentsAndStrings(text)
  /** @type {Measure[]} */
  const measures = []
  /** @type {{ name: string, start: number } | undefined} */
  let current
  let depth = 0
  let functionDepth = 0
  let headerStart = 0
  for (let i = 0; i < code.length; i++) {
    const char = code[i]
    if (char === '{') {
      depth++
      const header = code.slice(headerStart, i)
      const name = functionHeader.exec(header)?.[1]
      if (!current && name && !notFunctions.has(name)) {
        current = { name, start: headerStart + header.search(/\S/) }
        functionDepth = depth
      }
    } else if (char === '}') {
      if (current && depth === functionDepth) {
        const line = lineAt(code, current.start)
        measures.push({ name: current.name, line, lines: lineAt(code, i) - line + 1, parameters: 0 })
        current = undefined
      }
      depth--
    }
    if (!current && char && '{};'.includes(char)) headerStart = i + 1
  }
  return measures
}

/** @param {string} text @param {number} position */
const lineAt = (text, position) => text.slice(0, position).split('\n').length

/**
 * Blanks comments, strings, characters and preprocessor lines, and keeps the line breaks.
 * @param {string} text
 */
const withoutCommentsAndStrings = (text) =>
  text.replace(
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|R"\(([\s\S]*?)\)"|"(?:\\.|[^"\\\n])*"|(?<!\w)'(?:\\.|[^'\\\n])+'|^[ \t]*#(?:[^\n\\]|\\[\s\S])*/gm,
    (match) => match.replace(/[^\n]/g, ' '),
  )
