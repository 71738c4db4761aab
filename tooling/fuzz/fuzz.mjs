// @ts-check
// Random inputs for everything that reads files, and random programs for the native core:
// node tooling/fuzz/fuzz.mjs [target...] [--cases N] [--seed S] [--write]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { reportOf, withReport } from './report.mjs'
import { runTarget } from './run-target.mjs'
import { bundleTarget, findTargets } from './targets.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const document = join(root, 'docs/hardening.md')
const targets = findTargets(root)

const shownFindings = 5

/** @param {string} problem @returns {never} */
function stop(problem) {
  const names = targets.map(({ name }) => name).join(' | ')
  process.stderr.write(`✖ ${problem}\nusage: pnpm fuzz [${names}] [--cases N] [--seed S] [--write]\n`)
  process.exit(2)
}

function readSettings() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        cases: { type: 'string', default: '100000' },
        seed: { type: 'string', default: '1' },
        write: { type: 'boolean', default: false },
      },
    })
    return { values, positionals }
  } catch (error) {
    return stop(error instanceof Error ? error.message : String(error))
  }
}

const { values, positionals } = readSettings()
const [cases, seed] = [Number(values.cases), Number(values.seed)]
if (!Number.isSafeInteger(cases) || cases < 1) stop(`--cases takes a number from 1 on, not ${values.cases}`)
if (!Number.isSafeInteger(seed) || seed < 0) stop(`--seed takes a number from 0 on, not ${values.seed}`)
const unknown = positionals.find((name) => !targets.some((target) => target.name === name))
if (unknown !== undefined) stop(`there is no target ${unknown}`)
const chosen = targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name))

const folder = mkdtempSync(join(tmpdir(), 'trimkv-fuzz-'))
const kept = join(root, '.fuzz')
const outcomes = []
try {
  for (const target of chosen) {
    const bundle = await bundleTarget(target, { root, folder })
    const lanes = Math.min(2, availableParallelism())
    const onProgress = (/** @type {number} */ done) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K  · ${target.name} ${done} of ${cases}`)
    }
    const { name } = target
    const outcome = await runTarget({ root, folder, kept, name, bundle, cases, seed, lanes, onProgress })
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
    for (const finding of outcome.findings.slice(0, shownFindings)) {
      const place = join(kept, `${name}-${finding.seed}`)
      const firstLines = finding.problem.split('\n', 3).join('\n  ')
      process.stdout.write(`✖ ${name}, seed ${finding.seed}: ${firstLines}\n  ${place}\n`)
    }
    const { accepted, refused, findings, seconds } = outcome
    process.stdout.write(
      `${findings.length > 0 ? '✖' : '✓'} ${target.name}: ${outcome.cases} cases in ${seconds.toFixed(1)} s, ${accepted} accepted, ${refused} refused, ${findings.length} findings ${JSON.stringify(outcome.codes)}\n`,
    )
    outcomes.push(outcome)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

process.stdout.write(`\n${reportOf(outcomes)}\n`)
if (values.write) writeFileSync(document, withReport(readFileSync(document, 'utf8'), outcomes))
if (outcomes.some(({ findings }) => findings.length > 0)) process.exitCode = 1
