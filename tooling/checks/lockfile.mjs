// @ts-check
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import semver from 'semver'

/** The oldest Node release line still supported, at the version we test with. */
const node = '20.20.2'

/**
 * The lockfile records no download address, and every package in it accepts our Node.
 * @param {string} root
 * @returns {string[]} problems
 */
export function checkLockfile(root) {
  const problems = []
  let name = ''
  for (const [index, line] of readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8').split('\n').entries()) {
    name = /^ {2}'?([^\s'][^']*?)'?:$/.exec(line)?.[1] ?? name
    const range = /^ {4}engines: \{.*?\bnode: (?:'([^']*)'|([^,}]*))/.exec(line)
    const accepted = range?.[1] ?? range?.[2]
    if (accepted !== undefined && !semver.satisfies(node, accepted)) {
      problems.push(`pnpm-lock.yaml:${index + 1} ${name} wants Node ${accepted}, not ${node}`)
    }
    if (/https?:\/\//.test(line) && !/^ {4}deprecated: /.test(line)) {
      problems.push(`pnpm-lock.yaml:${index + 1} ${name} records a download address`)
    }
  }
  return problems
}
