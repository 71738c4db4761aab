import type { TensorLike } from '@trimkv/tensor'
import type { Storage } from './storage.ts'

/** What the tensors of a cache are taken from. */
export type Allocator<T extends TensorLike> = Pick<Storage<T>, 'views' | 'zeros' | 'reserve' | 'write'>

/** Runs `make`, which takes tensors; when it fails on the way, those it has taken are given back. */
export function allocated<T extends TensorLike, R>(storage: Storage<T>, make: (from: Allocator<T>) => R): R {
  const taken: T[] = []
  const noted = (tensor: T): T => {
    taken.push(tensor)
    return tensor
  }
  try {
    return make({
      views: { slice: (tensor, range) => noted(storage.views.slice(tensor, range)) },
      zeros: (spec) => noted(storage.zeros(spec)),
      reserve: (spec) => noted(storage.reserve(spec)),
      write: (tensor, values) => storage.write(tensor, values),
    })
  } catch (error) {
    for (const tensor of taken) storage.dispose(tensor)
    throw error
  }
}
