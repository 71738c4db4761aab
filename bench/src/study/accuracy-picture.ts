import { budgetShares, type StudyPolicy, studyPolicies, trainingLength } from './cells.ts'
import { shareText } from './markdown-table.ts'
import { estimate } from './statistics.ts'
import type { StudyTable } from './study-table.ts'
import { type StudyTask, studyTasks } from './study-texts.ts'
import { element, label, picture } from './svg.ts'

type Shape = 'circle' | 'square' | 'up' | 'down' | 'diamond'

/** Colours of Okabe and Ito (2008), which most colour-blind people tell apart; shapes and dashes for all others. */
const looks: Readonly<
  Record<StudyPolicy, { colour: string; shape: Shape; dash?: string; bold?: true; open?: true }>
> = {
  full: { colour: '#111827', shape: 'circle', dash: '6 4' },
  trimkv: { colour: '#0072b2', shape: 'circle', bold: true },
  'trimkv-buffered': { colour: '#0072b2', shape: 'circle', dash: '5 3', open: true },
  streaming: { colour: '#e69f00', shape: 'square' },
  h2o: { colour: '#d55e00', shape: 'up' },
  snapkv: { colour: '#009e73', shape: 'diamond' },
  'r-kv': { colour: '#cc79a7', shape: 'down' },
  keydiff: { colour: '#56b4e9', shape: 'square', open: true },
  tova: { colour: '#111827', shape: 'up', open: true },
  knorm: { colour: '#8b8b8b', shape: 'diamond', open: true },
  random: { colour: '#8b8b8b', shape: 'circle', dash: '2 3' },
}

const panel = { width: 250, height: 280, gap: 26, left: 62, top: 62 }
const width = panel.left + studyTasks.length * (panel.width + panel.gap)
const legendColumns = 6
const height = panel.top + panel.height + 58 + 24 * Math.ceil(studyPolicies.length / legendColumns) + 8
const bottom = panel.top + panel.height
const inset = 34

const yOf = (share: number): number => bottom - share * panel.height
const leftOf = (task: StudyTask): number => panel.left + studyTasks.indexOf(task) * (panel.width + panel.gap)
const step = (panel.width - 2 * inset) / (budgetShares.length - 1)

/** Points of one budget stand beside each other, so that their intervals can be told apart. */
const aside = (policy: StudyPolicy): number => (studyPolicies.indexOf(policy) - studyPolicies.length / 2) * 3

function marker(policy: StudyPolicy, x: number, y: number): string {
  const { colour, shape, open, bold } = looks[policy]
  const r = bold ? 4.5 : 3.5
  const paint = { fill: open ? '#fff' : colour, stroke: colour, 'stroke-width': 1.4 }
  const polygon = (...points: readonly (readonly [number, number])[]): string =>
    element('polygon', {
      points: points.map(([dx, dy]) => `${(x + dx * r).toFixed(1)},${(y + dy * r).toFixed(1)}`).join(' '),
      ...paint,
    })
  switch (shape) {
    case 'circle':
      return element('circle', { cx: x, cy: y, r, ...paint })
    case 'square':
      return polygon([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9])
    case 'up':
      return polygon([0, -1.2], [1.1, 0.9], [-1.1, 0.9])
    case 'down':
      return polygon([0, 1.2], [1.1, -0.9], [-1.1, -0.9])
    case 'diamond':
      return polygon([0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0])
  }
}

const strokeOf = (policy: StudyPolicy) => {
  const { colour, dash, bold } = looks[policy]
  return { stroke: colour, 'stroke-width': bold ? 2.6 : 1.4, ...(dash && { 'stroke-dasharray': dash }) }
}

function frame(task: StudyTask): string[] {
  const left = leftOf(task)
  const right = left + panel.width
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    element('line', {
      x1: left,
      x2: right,
      y1: yOf(share),
      y2: yOf(share),
      stroke: share === 0 ? '#374151' : '#e5e7eb',
    }),
    ...(task === studyTasks[0]
      ? [label(String(100 * share), { x: left - 8, y: yOf(share) + 4.5, 'text-anchor': 'end' })]
      : []),
  ])
  const ticks = budgetShares.map((share, index) => {
    return label(String(Math.round(share * trainingLength)), {
      x: left + inset + index * step,
      y: bottom + 19,
      'text-anchor': 'middle',
    })
  })
  return [...grid, ...ticks, label(task, { x: left, y: panel.top - 14, class: 'strong' })]
}

function fullLine(table: StudyTable, task: StudyTask): string[] {
  const result = table.get({ setting: 'stream', length: trainingLength, task, policy: 'full', share: 1 })
  if (!result || result.refused) return []
  const { mean, low, high } = estimate(result.shares)
  const left = leftOf(task)
  return [
    element('rect', {
      x: left,
      width: panel.width,
      y: yOf(high),
      height: yOf(low) - yOf(high),
      fill: '#111827',
      'fill-opacity': '0.07',
    }),
    element('line', { x1: left, x2: left + panel.width, y1: yOf(mean), y2: yOf(mean), ...strokeOf('full') }),
  ]
}

function curve(table: StudyTable, task: StudyTask, policy: StudyPolicy): string[] {
  const points = budgetShares.flatMap((share, index) => {
    const result = table.get({ setting: 'stream', length: trainingLength, task, policy, share })
    if (!result || result.refused) return []
    const x = leftOf(task) + inset + index * step + aside(policy)
    return [{ x, ...estimate(result.shares) }]
  })
  if (points.length === 0) return []
  const path = points.map(({ x, mean }) => `${x.toFixed(1)},${yOf(mean).toFixed(1)}`).join(' ')
  const { colour } = looks[policy]
  return [
    element('polyline', { points: path, fill: 'none', ...strokeOf(policy) }),
    ...points.map(({ x, low, high }) =>
      element('line', { x1: x, x2: x, y1: yOf(low), y2: yOf(high), stroke: colour, 'stroke-width': 1.2 }),
    ),
    ...points.map(({ x, mean }) => marker(policy, x, yOf(mean))),
  ]
}

function legend(): string[] {
  return studyPolicies.flatMap((policy, index) => {
    const x = panel.left + (index % legendColumns) * 140
    const y = bottom + 66 + 24 * Math.floor(index / legendColumns)
    return [
      element('line', { x1: x, x2: x + 26, y1: y, y2: y, ...strokeOf(policy) }),
      ...(policy === 'full' ? [] : [marker(policy, x + 13, y)]),
      label(policy === 'full' ? 'full cache' : policy, {
        x: x + 33,
        y: y + 4.5,
        ...(looks[policy].bold && { class: 'strong' }),
      }),
    ]
  })
}

/** Accuracy by budget of every policy, a panel per task, with 95 % intervals. */
export function accuracyPicture(table: StudyTable): string {
  const title = `Right answers by budget: stream of ${trainingLength} tokens`
  const middle = panel.left + (width - panel.left - panel.gap) / 2
  // The one that matters comes last, on top.
  const drawn = [
    ...studyPolicies.filter((policy) => policy !== 'full' && policy !== 'trimkv'),
    'trimkv' as const,
  ]
  const budgets = `tokens per head (${budgetShares.map(shareText).join(', ')} of the text)`
  return picture({ width, height }, title, [
    label(`${title}, in percent, with 95 % intervals`, { x: panel.left, y: 24, class: 'title' }),
    ...studyTasks.flatMap((task) => [
      ...frame(task),
      ...fullLine(table, task),
      ...drawn.flatMap((policy) => curve(table, task, policy)),
    ]),
    label(budgets, { x: middle, y: bottom + 41, 'text-anchor': 'middle' }),
    label('right answers, %', {
      transform: `translate(20 ${panel.top + panel.height / 2}) rotate(-90)`,
      'text-anchor': 'middle',
    }),
    ...legend(),
  ])
}
