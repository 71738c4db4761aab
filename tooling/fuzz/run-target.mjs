// @ts-check
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BundleCoverage } from './coverage.mjs'
import { keepFinding } from './keep-finding.mjs'

/**
 * @typedef {object} Finding
 * @property {number} seed of the case
 * @property {string} problem
 */

/**
 * @typedef {object} Outcome
 * @property {string} name
 * @property {number} seed
 * @property {number} cases
 * @property {number} accepted
 * @property {number} refused
 * @property {Readonly<Record<string, number>>} codes how often each error was the answer
 * @property {number} slowestMs
 * @property {number} seconds
 * @property {Finding[]} findings
 * @property {import('./coverage.mjs').FileCoverage[]} coverage
 */

/**
 * @typedef {object} Run
 * @property {string} root
 * @property {string} folder for files while it runs
 * @property {string} kept folder for the files of findings
 * @property {string} name of the target
 * @property {string} bundle
 * @property {number} cases
 * @property {number} seed of the first case; the others follow
 * @property {number} lanes processes at a time
 * @property {(done: number) => void} [onProgress]
 */

const worker = fileURLToPath(new URL('worker.mjs', import.meta.url))
const batchCases = 2500
/** Fewer cases in one process say nothing about what each of them leaves in memory. */
const fewestLasting = 600
const hangMs = 5000
/** A target with so many findings needs no more. */
const mostFindings = 50
/** MiB of JavaScript values: what a case takes beyond this ends its process, which is a finding. */
const heapLimit = 384

/** @typedef {{ every: number, lasting?: boolean }} Plan how a target wants to be run */

/**
 * Runs all cases of a target in processes of their own, those of a lasting target in one. One that crashes or hangs costs
 * its case, not the run.
 * @param {Run} run
 * @returns {Promise<Outcome>}
 */
export async function runTarget(run) {
  const started = performance.now()
  const coverage = new BundleCoverage(readFileSync(run.bundle, 'utf8'))
  /** @type {Outcome & { codes: Record<string, number> }} */
  const outcome = {
    name: run.name,
    seed: run.seed,
    cases: 0,
    accepted: 0,
    refused: 0,
    codes: {},
    slowestMs: 0,
    seconds: 0,
    findings: [],
    coverage: [],
  }
  const { every, lasting } = await planOf(run)
  const cases = lasting ? Math.max(run.cases, every * fewestLasting) : run.cases
  const batch = lasting ? cases : batchCases
  let next = 0
  const work = async (/** @type {number} */ lane) => {
    while (next < cases && outcome.findings.length < mostFindings) {
      const first = next
      next = Math.min(cases, next + batch)
      await runRange(run, { lane, first, end: next }, { outcome, coverage })
      run.onProgress?.(outcome.cases)
    }
  }
  await Promise.all(Array.from({ length: run.lanes }, (_, lane) => work(lane)))
  outcome.seconds = (performance.now() - started) / 1000
  return outcome
}

/** @param {Run} run @param {{ lane: number, first: number, end: number }} range */
function batchOf({ name, bundle, seed, kept, folder }, { lane, first, end }) {
  const at = (/** @type {string} */ ending) => join(folder, `${name}-${lane}${ending}`)
  const paths = { folder: at(''), progress: at('.progress'), results: at(`-${first}-${end}.json`) }
  return { name, bundle, seed, kept, first, end, mostFindings, ...paths }
}

/** What a process says of its target that has no cases to run. @param {Run} run @returns {Promise<Plan>} */
async function planOf(run) {
  const batch = batchOf(run, { lane: 0, first: 0, end: 0 })
  await runBatch(batch, run.root)
  return JSON.parse(readFileSync(batch.results, 'utf8')).plan
}

/**
 * @param {Run} run
 * @param {{ lane: number, first: number, end: number }} range
 * @param {{ outcome: Outcome & { codes: Record<string, number> }, coverage: BundleCoverage }} into
 */
async function runRange(run, { lane, first, end }, into) {
  if (first >= end || into.outcome.findings.length >= mostFindings) return
  const batch = batchOf(run, { lane, first, end })
  const ended = await runBatch(batch, run.root)
  if (ended === undefined) return addResults(readFileSync(batch.results, 'utf8'), into)
  const finding = { seed: run.seed + ended.index, problem: ended.problem }
  keepFinding(batch, finding)
  into.outcome.findings.push(finding)
  into.outcome.cases++
  // What the process had found out before its end went with it.
  await runRange(run, { lane, first, end: ended.index }, into)
  await runRange(run, { lane, first: ended.index + 1, end }, into)
}

/**
 * @param {string} results of a batch
 * @param {{ outcome: Outcome & { codes: Record<string, number> }, coverage: BundleCoverage }} into
 */
function addResults(results, { outcome, coverage }) {
  const { counts, codes, findings, slowestMs, script, plan } = JSON.parse(results)
  outcome.cases += counts.cases
  outcome.accepted += counts.accepted
  outcome.refused += counts.refused
  for (const [code, count] of Object.entries(codes)) outcome.codes[code] = (outcome.codes[code] ?? 0) + count
  outcome.findings.push(...findings)
  outcome.slowestMs = Math.max(outcome.slowestMs, slowestMs)
  coverage.add(script)
  outcome.coverage = coverage.of(plan.covers)
}

/**
 * @param {import('./worker.mjs').Batch} batch
 * @param {string} root
 * @returns {Promise<{ index: number, problem: string } | undefined>} nothing when all cases were run, else the case at which the process ended before its time
 */
function runBatch(batch, root) {
  writeFileSync(batch.progress, Buffer.alloc(0))
  const flags = [
    `--max-old-space-size=${heapLimit}`,
    '--max-semi-space-size=4',
    '--expose-gc',
    '--no-warnings',
  ]
  const child = spawn(process.execPath, [...flags, worker, JSON.stringify(batch)], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      TRIMKV_NATIVE_PATH: process.env.TRIMKV_NATIVE_PATH ?? join(root, 'packages/tensor/build/trimkv.node'),
    },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      said = (said + data).slice(-4000)
    })
  /** Undefined before the first case: loading the target takes what it takes. */
  const atWork = () => {
    const bytes = readFileSync(batch.progress)
    return bytes.length === 8 ? bytes.readDoubleLE() : undefined
  }
  /** @type {{ index: number | undefined, since: number }} */
  let last = { index: undefined, since: performance.now() }
  let hangs = false
  const watch = setInterval(() => {
    const index = atWork()
    if (index !== last.index) last = { index, since: performance.now() }
    else if (index !== undefined && performance.now() - last.since > hangMs) {
      hangs = true
      child.kill('SIGKILL')
    }
  }, 250)
  return new Promise((resolve, reject) =>
    child.on('close', (code, signal) => {
      clearInterval(watch)
      if (code === 0 && existsSync(batch.results)) return resolve(undefined)
      const problem = hangs ? `no answer after ${hangMs} ms` : `ended with ${code ?? signal}: ${said.trim()}`
      const index = atWork()
      if (index === undefined) reject(new Error(`${batch.name} cannot be started: ${problem}`))
      else resolve({ index, problem })
    }),
  )
}
