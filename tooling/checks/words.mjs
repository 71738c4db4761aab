// @ts-check
import { readFileSync } from 'node:fs'
import { extname, relative } from 'node:path'
import { listFiles } from '../workspace.mjs'

const textFile = new Set([
  '.ts',
  '.tsx',
  '.mjs',
  '.js',
  '.json',
  '.md',
  '.yaml',
  '.yml',
  '.cc',
  '.h',
  '.txt',
  '.cmake',
  '',
])

/** @type {readonly { pattern: RegExp, what: string }[]} */
const unwanted = [
  {
    pattern: /(?<![\w.@)\]}~-])\/(?:work|home|root|tmp|Users|private)\/\w/,
    what: 'an absolute path of one machine',
  },
  {
    pattern: /\bregistry\.[\w-]+\.\w+|\bnpmmirror\b|\bdeb\.debian\b/,
    what: 'the address of a package registry',
  },
  { pattern: /\b(?:T[O]DO|FIXM[E]|XX[X]|HAC[K])\b/, what: 'an unfinished mark' },
  { pattern: /\b(?:describe|it|test)\.(?:only|todo)\(/, what: 'a focused or empty test' },
]

/**
 * Finds what belongs to one machine or one moment and not in the repository.
 * @param {string} root
 * @returns {string[]} problems
 */
export function checkWords(root) {
  const files = listFiles(root, (path) => textFile.has(extname(path)) && !path.endsWith('pnpm-lock.yaml'))
  return files.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line, index) =>
        unwanted
          .filter(({ pattern }) => pattern.test(line))
          .map(({ what }) => `${relative(root, file)}:${index + 1} has ${what}`),
      ),
  )
}
