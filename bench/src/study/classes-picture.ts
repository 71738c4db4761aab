import type { RetentionSummary } from './retention-stats.ts'
import { element, label, picture } from './svg.ts'
import { wordClasses } from './word-classes.ts'

const width = 720
const left = 124
const right = 64
const top = 82
const rowHeight = 40
const bar = 14
const colours = { text: '#b8bec8', slots: '#0072b2' }

/** The next round number of tenths above all shares. */
const axisEnd = (shares: readonly number[]): number => Math.ceil(Math.max(...shares, 0.1) * 10) / 10

/** Share of slots per class of word, beside its share of what was read. */
export function classesPicture({ kept, read, budget }: RetentionSummary): string {
  const end = axisEnd(wordClasses.flatMap((name) => [kept[name], read[name]]))
  const scale = (width - left - right) / end
  const bottom = top + wordClasses.length * rowHeight
  const title = `What the slots hold (${budget} per head), beside what was read`
  const ticks = Array.from({ length: Math.round(end * 10) + 1 }, (_, i) => i / 10).flatMap((share) => [
    element('line', {
      x1: left + share * scale,
      x2: left + share * scale,
      y1: top - 4,
      y2: bottom,
      stroke: share === 0 ? '#374151' : '#e5e7eb',
    }),
    label(String(Math.round(share * 100)), {
      x: left + share * scale,
      y: bottom + 18,
      'text-anchor': 'middle',
    }),
  ])
  const rows = wordClasses.flatMap((name, index) => {
    const y = top + index * rowHeight + 4
    const bars = [
      { share: read[name], colour: colours.text, y },
      { share: kept[name], colour: colours.slots, y: y + bar + 1 },
    ]
    return [
      label(name, { x: left - 10, y: y + bar + 5, 'text-anchor': 'end' }),
      ...bars.flatMap(({ share, colour, y: barTop }) => [
        element('rect', { x: left, y: barTop, width: share * scale, height: bar, fill: colour }),
        label((100 * share).toFixed(1), {
          x: left + share * scale + 5,
          y: barTop + bar - 2.5,
          class: 'small',
        }),
      ]),
    ]
  })
  const legend = [
    { text: 'share of the text read so far', colour: colours.text, x: 20 },
    { text: 'share of the slots of all heads', colour: colours.slots, x: 250 },
  ].flatMap(({ text, colour, x }) => [
    element('rect', { x, y: 42, width: 14, height: 14, fill: colour }),
    label(text, { x: x + 20, y: 54 }),
  ])
  return picture({ width, height: bottom + 54 }, title, [
    label(title, { x: 20, y: 24, class: 'title' }),
    ...legend,
    ...ticks,
    ...rows,
    label('percent', { x: left + (width - left - right) / 2, y: bottom + 40, 'text-anchor': 'middle' }),
  ])
}
