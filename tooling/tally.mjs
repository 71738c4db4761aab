// @ts-check

/** Skipping one of these hides a broken build, so it counts as a failure. */
const neededTier = /\bnative\b/i

/**
 * What is read of vitest's report of a file.
 * @typedef {object} ReportedModule
 * @property {string} relativeModuleId
 * @property {() => readonly unknown[]} errors failures outside of any test, such as an import that does not resolve
 * @property {{ allTests: () => Iterable<ReportedTest> }} children
 */

/**
 * @typedef {object} ReportedTest
 * @property {string} fullName
 * @property {() => { state: string, note?: string | undefined }} result
 */

/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {number} failed
 * @property {string[]} skipped one line per test, with its reason
 * @property {string[]} refused one line per test that may not be skipped; they are among the failed
 */

/**
 * Counts tests. A run without tests, a file that could not be read, and a test that was skipped without a reason or for want
 * of the native core are failures.
 * @param {readonly ReportedModule[]} modules
 * @param {readonly unknown[]} strayErrors
 * @returns {Tally}
 */
export function tallyOf(modules, strayErrors) {
  /** @type {Tally} */
  const tally = { passed: 0, failed: strayErrors.length, skipped: [], refused: [] }
  for (const module of modules) {
    tally.failed += module.errors().length
    for (const test of module.children.allTests()) countTest(tally, test, module.relativeModuleId)
  }
  if (tally.passed + tally.failed + tally.skipped.length === 0) tally.failed = 1
  return tally
}

/**
 * @param {Tally} tally
 * @param {ReportedTest} test
 * @param {string} file
 */
function countTest(tally, test, file) {
  const { state, note } = test.result()
  if (state === 'passed') tally.passed++
  else if (state === 'skipped' && note && !neededTier.test(note)) {
    tally.skipped.push(`${file} > ${test.fullName}: ${note}`)
  } else {
    tally.failed++
    if (state === 'skipped') tally.refused.push(`${file} > ${test.fullName}: ${note ?? 'no reason given'}`)
  }
}
