// @ts-check
// Runs a batch of cases of one bundled target: node worker.mjs <settings as JSON>
// The number of the case at work stands in a file, so that whoever watches knows it also after a crash or in a hang.
import { mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { keepFinding } from './keep-finding.mjs'
import { growthProblem, keptMemory, startPeak } from './process-memory.mjs'

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
 * @property {number} mostFindings after which the rest is not run
 */

/** @type {Batch} */
const batch = JSON.parse(process.argv[2] ?? '{}')
const { bundle, seed } = batch

/** Noise of the collector and of compiled code, beside what a case may take for its files. */
const memorySlack = 32 * 1024 * 1024
/** The first cases of a process compile the code under test. */
const warmCases = 100
/** Cases of a lasting target between two looks at what the process keeps. */
const casesPerLook = 1000
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

/** @param {string} code */
const isRefusal = (code) =>
  target.refusals?.includes(code) ?? (code.startsWith('TRIMKV_') && code !== 'TRIMKV_INVARIANT')

/** @param {unknown} error @returns {string | undefined} what is wrong with an error */
function problemOf(error) {
  const { code, message } = /** @type {{ code?: unknown, message?: unknown }} */ (error)
  if (typeof code !== 'string' || !isRefusal(code)) return inspect(error)
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

const readCounters = () => JSON.stringify(target.counters?.() ?? {})
let counters = readCounters()

/** However a case ended, nothing of it may be left. @param {number} index */
function compareCounters(index) {
  const now = readCounters()
  if (now !== counters) note(index, `${now} after the case, ${counters} before`)
  // What one case left is not the fault of the next.
  counters = now
}

/** @type {import('./process-memory.mjs').KeptMemory | undefined} */
let kept

/** @param {number} index */
async function compareKept(index) {
  const last = index + target.every >= batch.end
  if (counts.cases !== warmCases && counts.cases % casesPerLook !== 0 && !last) return
  const now = await keptMemory()
  const problem = kept && growthProblem(now, kept)
  if (problem) note(index, `${problem}, ${counts.cases} cases after the start`)
  if (problem || counts.cases === warmCases) kept = now
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
  const risen = startPeak()
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
  const taken = risen()
  if (counts.cases > warmCases && taken > 2 * bytes + memorySlack)
    note(index, `${taken} bytes of memory for files of ${bytes}`)
  compareCounters(index)
}

for (let index = batch.first; index < batch.end && findings.length < batch.mostFindings; index++) {
  if (index % target.every !== 0) continue
  await runCase(index)
  if (target.lasting) await compareKept(index)
}

const { covers, every, lasting } = target
const { result } = await inspector.post('Profiler.takePreciseCoverage')
const script = result.find(({ url }) => url === pathToFileURL(bundle).href)
writeFileSync(
  batch.results,
  JSON.stringify({ counts, codes, findings, slowestMs, script, plan: { covers, every, lasting } }),
)
