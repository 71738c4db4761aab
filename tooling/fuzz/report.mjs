// @ts-check

/** @typedef {import('./run-target.mjs').Outcome} Outcome */

/** @param {{ covered: number, total: number }} share */
const percent = ({ covered, total }) => (total === 0 ? '–' : `${Math.floor((100 * covered) / total)} %`)

/** @param {readonly { covered: number, total: number }[]} shares */
const sum = (shares) =>
  shares.reduce((all, { covered, total }) => ({ covered: all.covered + covered, total: all.total + total }), {
    covered: 0,
    total: 0,
  })

/** @param {number} number */
const grouped = (number) => number.toLocaleString('en-US').replaceAll(',', ' ')

const heads = {
  targets: [
    '| target | cases | first seed | accepted | refused | s | slowest, ms | lines | branches | findings |',
    '|---|---|---|---|---|---|---|---|---|---|',
  ],
  files: ['| target | file | lines | branches |', '|---|---|---|---|'],
}

/** @param {Outcome} outcome */
function targetRow({ name, seed, cases, accepted, refused, seconds, slowestMs, findings, coverage }) {
  const lines = percent(sum(coverage.map((file) => file.lines)))
  const branches = percent(sum(coverage.map((file) => file.branches)))
  const answers = `${grouped(accepted)} | ${grouped(refused)}`
  return `| ${name} | ${grouped(cases)} | ${seed} | ${answers} | ${seconds.toFixed(0)} | ${slowestMs.toFixed(0)} | ${lines} | ${branches} | ${findings.length} |`
}

/** @param {Outcome} outcome */
const fileRows = ({ name, coverage }) =>
  coverage.map(
    ({ file, lines, branches }) =>
      `| ${name} | \`${file}\` | ${percent(lines)} of ${lines.total} | ${percent(branches)} of ${branches.total} |`,
  )

/**
 * The tables of a run, as Markdown.
 * @param {readonly Outcome[]} outcomes
 * @param {string} [earlier] tables of an earlier run: rows of targets that did not run now stay
 */
export function reportOf(outcomes, earlier = '') {
  const ran = new Set(outcomes.map(({ name }) => name))
  const [targets = [], files = []] = earlier
    .trim()
    .split('\n\n')
    .map((table) => table.split('\n').slice(2))
    .map((rows) => rows.filter((row) => !ran.has(row.split(' | ')[0]?.slice(2) ?? '')))
  return [
    ...heads.targets,
    ...[...targets, ...outcomes.map(targetRow)].sort(),
    '',
    ...heads.files,
    ...[...files, ...outcomes.flatMap(fileRows)].sort(),
  ].join('\n')
}

const [begin, end] = ['<!-- fuzz: begin -->', '<!-- fuzz: end -->']

/**
 * A document with the tables between its two marks brought up to date.
 * @param {string} document
 * @param {readonly Outcome[]} outcomes
 */
export function withReport(document, outcomes) {
  const [start, stop] = [document.indexOf(begin) + begin.length, document.indexOf(end)]
  if (start < begin.length || stop < start) throw new Error(`the document has no ${begin} and ${end}`)
  const report = reportOf(outcomes, document.slice(start, stop))
  return `${document.slice(0, start)}\n\n${report}\n\n${document.slice(stop)}`
}
