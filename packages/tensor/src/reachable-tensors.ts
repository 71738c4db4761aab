import { Tensor } from './tensor.ts'

/** All tensors in a value: itself, or inside arrays, maps, sets and objects at any depth. */
export function reachableTensors(value: unknown): Set<Tensor> {
  const found = new Set<Tensor>()
  const seen = new Set<object>()
  const pending: unknown[] = [value]
  while (pending.length > 0) {
    const next = pending.pop()
    if (typeof next !== 'object' || next === null || seen.has(next) || ArrayBuffer.isView(next)) continue
    seen.add(next)
    if (next instanceof Tensor) found.add(next)
    else if (next instanceof Map) pending.push(...next.keys(), ...next.values())
    else if (next instanceof Set) pending.push(...next)
    else pending.push(...Object.values(next))
  }
  return found
}
