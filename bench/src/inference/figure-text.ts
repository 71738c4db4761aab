import type { Figure } from './section.ts'

function numberText(value: number, unit: Figure['unit']): string {
  switch (unit) {
    case 'ratio':
      return `${value.toFixed(2)}×`
    case 'share':
      return `${(100 * value).toFixed(1)} %`
    case 'seconds':
      return `${value.toFixed(2)} s`
    case 'milliseconds':
      return `${value.toFixed(1)} ms`
    default:
      return `${value.toFixed(value < 100 ? 1 : 0)} ${unit}`
  }
}

export const valueText = ({ value, unit }: Figure): string => numberText(value, unit)

export function goalText({ goal, unit }: Figure): string {
  if (!goal) return ''
  return 'atLeast' in goal ? `≥ ${numberText(goal.atLeast, unit)}` : `≤ ${numberText(goal.atMost, unit)}`
}

export function reached({ value, goal }: Figure): boolean | undefined {
  if (!goal) return undefined
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}
