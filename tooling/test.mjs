// @ts-check
// Every check, then every test; the last line is the count. Arguments choose test files and leave the checks out.
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startVitest } from 'vitest/node'
import { conclude, runChecks } from './check.mjs'
import { tallyOf } from './tally.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const filters = process.argv.slice(2)

const checks = filters.length > 0 ? { passed: 0, failed: 0, skipped: [] } : await runChecks()
const vitest = await startVitest('test', filters, { root, watch: false })
const tests = tallyOf(vitest.state.getTestModules(), vitest.state.getUnhandledErrors())
await vitest.close()

for (const line of tests.refused) process.stdout.write(`✖ must not be skipped: ${line}\n`)
conclude({
  passed: checks.passed + tests.passed,
  failed: checks.failed + tests.failed,
  skipped: [...checks.skipped, ...tests.skipped],
})
