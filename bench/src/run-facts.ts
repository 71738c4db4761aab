import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim()

/** What a result was measured on: commit, processor, Node version, day. */
export function runFacts(): Readonly<Record<string, string>> {
  const list = cpus()
  const dirty = git('status', '--porcelain') === '' ? '' : ' with changes'
  return {
    commit: `${git('rev-parse', '--short', 'HEAD')}${dirty}`,
    processor: `${list.length} × ${list[0]?.model.trim() ?? 'unknown'}`,
    node: process.versions.node,
    day: new Date().toISOString().slice(0, 10),
  }
}
