import { fail } from './errors.ts'
import { reachableTensors } from './reachable-tensors.ts'
import type { Tensor } from './tensor.ts'

/** Tensors made in each open scope, innermost last. JavaScript runs one scope at a time: `fn` cannot be async. */
const open: Tensor[][] = []

/** Hands a new tensor to the innermost scope, if there is one. */
export function track(tensor: Tensor): Tensor {
  open.at(-1)?.push(tensor)
  return tensor
}

/**
 * Runs `fn` and frees the tensors made in it by eager ops and by a device, except those in its result
 * (at any depth), which move to the surrounding scope. Programs and file mappings are not touched.
 * @throws TRIMKV_OPTION when `fn` returns a promise: its tensors would be freed before it has run
 */
export function scope<R>(fn: () => R): R {
  const made: Tensor[] = []
  let kept = new Set<Tensor>()
  open.push(made)
  try {
    const result = fn()
    if (result instanceof Promise)
      fail('TRIMKV_OPTION', '[scope] the function returned a promise', { hint: 'make it synchronous' })
    kept = reachableTensors(result)
    return result
  } finally {
    open.pop()
    for (const tensor of made) {
      if (kept.has(tensor)) track(tensor)
      else tensor[Symbol.dispose]()
    }
  }
}
