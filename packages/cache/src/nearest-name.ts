/** Edits (insert, delete, replace) that turn one word into the other. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replaced, previous[j]! + 1, row[j - 1]! + 1))
    }
    previous = row
  }
  return previous[b.length]!
}

/** The name a typing error most likely meant, or nothing when none is close. */
function nearestName(typed: string, names: readonly string[]): string | undefined {
  const lower = typed.toLowerCase()
  const ranked = names
    .map((name) => ({ name, distance: editDistance(lower, name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.max(2, Math.floor(best.name.length / 3)) ? best.name : undefined
}

/** What to try instead of an unknown name. */
export function nameHint(typed: string, names: readonly string[]): string {
  const nearest = nearestName(typed, names)
  const list = names.length > 0 ? `one of ${names.join(', ')}` : 'there are none'
  return nearest ? `did you mean "${nearest}"? (${list})` : list
}
