import type { RetentionSummary } from './retention-stats.ts'
import { element, label, picture } from './svg.ts'

const cell = { width: 150, height: 52 }
const left = 84
const top = 84

/** From light to dark blue, in equal steps of lightness. */
function shade(part: number): string {
  const [light, dark] = [
    [239, 246, 252],
    [8, 48, 107],
  ] as const
  const mixed = light.map((value, channel) => Math.round(value + part * (dark[channel]! - value)))
  return `rgb(${mixed.join(',')})`
}

/** Mean β per layer and head, as a heat map with its figures. */
export function betaPicture({ heads, budget }: RetentionSummary): string {
  const rows = Math.max(...heads.map(({ layer }) => layer)) + 1
  const columns = Math.max(...heads.map(({ head }) => head)) + 1
  const betas = heads.map(({ meanBeta }) => meanBeta)
  const low = Math.min(...betas)
  const span = Math.max(Math.max(...betas) - low, 1e-9)
  const title = 'Mean β per layer and head'
  const cells = heads.flatMap(({ layer, head, meanBeta, kind }) => {
    const x = left + head * cell.width
    const y = top + layer * cell.height
    const part = (meanBeta - low) / span
    const fill = part > 0.5 ? '#fff' : '#14181d'
    const middle = { x: x + cell.width / 2, 'text-anchor': 'middle', style: `fill:${fill}` }
    return [
      element('rect', {
        x,
        y,
        width: cell.width,
        height: cell.height,
        fill: shade(part),
        stroke: '#fff',
        'stroke-width': 2,
      }),
      label(meanBeta.toFixed(4), { ...middle, y: y + 24, class: 'strong' }),
      label(kind, { ...middle, y: y + 40, class: 'small' }),
    ]
  })
  const names = [
    ...Array.from({ length: columns }, (_, head) =>
      label(`head ${head}`, { x: left + (head + 0.5) * cell.width, y: top - 10, 'text-anchor': 'middle' }),
    ),
    ...Array.from({ length: rows }, (_, layer) =>
      label(`layer ${layer}`, {
        x: left - 10,
        y: top + (layer + 0.5) * cell.height + 4,
        'text-anchor': 'end',
      }),
    ),
  ]
  return picture({ width: left + columns * cell.width + 24, height: top + rows * cell.height + 24 }, title, [
    label(title, { x: 20, y: 24, class: 'title' }),
    label(`${budget} slots per head; darker: tokens last longer`, { x: 20, y: 44, class: 'small' }),
    ...cells,
    ...names,
  ])
}
