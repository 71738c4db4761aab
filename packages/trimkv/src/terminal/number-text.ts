const thinSpace = '\u2009'

/** What stands for "not measured": never a zero. */
export const notMeasured = '—'

/** An integer with thin spaces between thousands: `1 536`. */
export const countText = (count: number): string =>
  Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, thinSpace)

/** Three significant digits without an exponent: `0.0123`, `12.3`, `1 230`. */
export function numberText(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return notMeasured
  if (Math.abs(value) >= 999.5) return countText(value)
  const digits = value === 0 ? 2 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(digits, 12))
}

/** Bytes with a binary unit: `56.0 MiB`. */
export function bytesText(bytes: number | undefined): string {
  if (bytes === undefined || !Number.isFinite(bytes)) return notMeasured
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const unit = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log2(bytes) / 10) : 0)
  return `${unit === 0 ? bytes : numberText(bytes / 2 ** (10 * unit))} ${units[unit]}`
}

/** A share of one as percent: `97.5 %`. */
export const percentText = (share: number | undefined): string =>
  share === undefined ? notMeasured : `${numberText(share * 100)} %`

/** A duration: `870 ms`, `12.3 s`, `4 min 05 s`. */
export function durationText(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 60) return `${numberText(seconds)} s`
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)
    .toString()
    .padStart(2, '0')} s`
}
