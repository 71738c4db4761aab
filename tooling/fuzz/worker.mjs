// @ts-check
// Runs a batch of cases of one bundled target: node worker.mjs <settings as JSON>
// The number of the case at work stands in a file, so that whoever watches knows it also after a crash or in a hang.
import { mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { keepFinding } from './keep-finding.mjs'

/**
 * @typedef {object} Batch
 * @property {string} name of the target
 * @property {string} bundle
 * @property {string} kept folder for the files of findings
 * @property {string} folder for the files of cases
 * @property {string} progress file for the number of the case at work
 * @property {string} results file to write
 * @property {number} seed
 * @property {number} first
 * @property {number} end
 */

/** @type {Batch} */
const batch = JSON.parse(process.argv[2] ?? '{}')
const { bundle, seed } = batch

/** Noise of the collector and of compiled code, beside what a case may take for its files. */
const memorySlack = 32 * 1024 * 1024
/** The first cases of a process compile the code under test. */
const warmCases = 100
/** An error message that is longer drowns what it says. */
const longestMessage = 4096

const inspector = new Session()
inspector.connect()
await inspector.post('Profiler.enable')
await inspector.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
const { target } = await import(pathToFileURL(bundle).href)

const progress = openSync(batch.progress, 'w')
const noted = Buffer.alloc(8)
const counts = { cases: 0, accepted: 0, refused: 0 }
/** @type {import('./run-target.mjs').Finding[]} */
const findings = []
/** @type {Record<string, number>} */
const codes = {}
let slowestMs = 0
/** @type {string[]} Names of the files of the last case. */
const written = []
rmSync(batch.folder, { recursive: true, force: true })
mkdirSync(batch.folder)

/** @param {unknown} error @returns {string | undefined} what is wrong with an error */
function problemOf(error) {
  const { code, message } = /** @type {{ code?: unknown, message?: unknown }} */ (error)
  if (typeof code !== 'string' || !code.startsWith('TRIMKV_')) return inspect(error)
  if (typeof message !== 'string' || message.length > longestMessage)
    return `a message of ${String(message).length} characters: ${String(message).slice(0, 200)}`
  codes[code] = (codes[code] ?? 0) + 1
  return undefined
}

/** @param {number} index @param {string} problem */
function note(index, problem) {
  const finding = { seed: seed + index, problem }
  findings.push(finding)
  keepFinding(batch, finding)
}

/** @param {number} index */
async function runCase(index) {
  noted.writeDoubleLE(index)
  writeSync(progress, noted, 0, 8, 0)
  const { files = {}, run } = target.createCase(seed + index)
  for (const name of written.splice(0)) if (!(name in files)) rmSync(join(batch.folder, name))
  counts.cases++
  let bytes = 0
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(batch.folder, name), content)
    written.push(name)
    bytes += Buffer.byteLength(content)
  }
  const before = process.resourceUsage().maxRSS * 1024
  const started = performance.now()
  try {
    await run(batch.folder)
    counts.accepted++
  } catch (error) {
    const problem = problemOf(error)
    if (problem === undefined) counts.refused++
    else note(index, problem)
  }
  slowestMs = Math.max(slowestMs, performance.now() - started)
  const taken = process.resourceUsage().maxRSS * 1024 - before
  if (counts.cases > warmCases && taken > 2 * bytes + memorySlack)
    note(index, `${taken} bytes of memory for files of ${bytes}`)
}

for (let index = batch.first; index < batch.end; index++) if (index % target.every === 0) await runCase(index)

const { result } = await inspector.post('Profiler.takePreciseCoverage')
const script = result.find(({ url }) => url === pathToFileURL(bundle).href)
writeFileSync(
  batch.results,
  JSON.stringify({ counts, codes, findings, slowestMs, script, covers: target.covers }),
)
