import { fail } from '@trimkv/tensor'
import { malformed } from './malformed.ts'
import type { PickleHost, PickleValue } from './pickle.ts'
import { type FileDtype, safeElementCount } from './tensor-listing.ts'

/** The global of a storage type, and the elements it holds. */
export const storageDtypes: Readonly<Record<string, FileDtype>> = {
  'torch.DoubleStorage': 'F64',
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
}
/** The globals that a tensor takes beside its storage type. */
export const orderedDict = 'collections.OrderedDict'
export const rebuildTensor = 'torch._utils._rebuild_tensor_v2'
const allowedGlobals = new Set([orderedDict, rebuildTensor, ...Object.keys(storageDtypes)])

/** A typed run of elements in a record of the archive. */
export interface TorchStorage {
  readonly kind: 'storage'
  readonly key: string
  readonly fileDtype: FileDtype
  readonly elementCount: number
}

/** A contiguous tensor inside a storage. */
export interface TorchView {
  readonly kind: 'view'
  readonly storage: TorchStorage
  readonly firstElement: number
  readonly shape: readonly number[]
}

/** A value of a pickle that `torch.save` wrote. */
export type TorchValue = PickleValue<TorchStorage | TorchView>

/**
 * What the pickle of a tensor file may name and call.
 * @see torch/serialization.py, `persistent_load`; torch/_utils.py, `_rebuild_tensor_v2`
 */
export const torchHost = (file: string): PickleHost<TorchStorage | TorchView> => ({
  file,
  checkGlobal(name, offset) {
    if (allowedGlobals.has(name)) return
    fail('TRIMKV_PICKLE_GLOBAL', `${file}: refused ${name} at byte ${offset} of data.pkl`, {
      why: [
        'expected tensors only: collections.OrderedDict, torch._utils._rebuild_tensor_v2, torch.*Storage',
        'a pickle that names anything else could run code',
      ],
      hint: 'save a plain dictionary of tensors, or use a safetensors file',
      details: { file, global: name, offset },
    })
  },
  load: (id, offset) => ({ kind: 'made', value: parseStorage(id, { file, offset }) }),
  call(name, args, offset) {
    if (name === rebuildTensor) return { kind: 'made', value: parseView(args, { file, offset }) }
    if (name === orderedDict && args.length === 0) return { kind: 'dict', entries: new Map() }
    return malformed({
      file,
      field: `pickle, byte ${offset}`,
      expected: 'a tensor or an empty OrderedDict',
      got: name,
    })
  },
})

interface Place {
  readonly file: string
  readonly offset: number
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** A persistent id: `('storage', type, key, device, number of elements)`. */
function parseStorage(id: TorchValue, { file, offset }: Place): TorchStorage {
  const items = itemsOf(id)
  const [tag, type, key, device, elementCount] = items ?? []
  const fileDtype = typeof type === 'object' && type?.kind === 'global' ? storageDtypes[type.name] : undefined
  const valid = items?.length === 5 && tag === 'storage' && typeof device === 'string'
  if (!valid || !fileDtype || typeof key !== 'string' || !isCount(elementCount)) {
    return malformed({
      file,
      field: `pickle, byte ${offset}`,
      expected: 'the id of a storage',
      got: 'another id',
    })
  }
  return { kind: 'storage', key, fileDtype, elementCount }
}

/** Arguments of `_rebuild_tensor_v2`: storage, first element, shape, strides, requires_grad, hooks [, metadata]. */
function parseView(args: readonly TorchValue[], { file, offset }: Place): TorchView {
  const field = `pickle, byte ${offset}`
  const [made, firstElement, shapeTuple, strideTuple] = args
  const storage = typeof made === 'object' && made?.kind === 'made' ? made.value : undefined
  const shape = itemsOf(shapeTuple)
  const strides = itemsOf(strideTuple)
  const validSizes = shape?.every(isCount) && strides?.every(isCount) && shape.length === strides.length
  if (
    storage?.kind !== 'storage' ||
    !isCount(firstElement) ||
    !validSizes ||
    args.length < 6 ||
    args.length > 7
  ) {
    return malformed({
      file,
      field,
      expected: 'storage, offset, shape and strides of a tensor',
      got: 'others',
    })
  }
  const count = safeElementCount(shape)
  if (count === undefined || firstElement + count > storage.elementCount) {
    malformed({
      file,
      field,
      expected: `a tensor inside ${storage.elementCount} elements`,
      got: { firstElement, shape },
    })
  }
  if (count > 0 && !isContiguous(shape, strides)) {
    malformed({
      file,
      field,
      expected: 'contiguous tensors',
      got: { shape, strides },
      hint: 'call .contiguous() on each tensor before torch.save',
    })
  }
  return { kind: 'view', storage, firstElement, shape }
}

const itemsOf = (value: TorchValue | undefined): readonly TorchValue[] | undefined =>
  typeof value === 'object' && value?.kind === 'tuple' ? value.items : undefined

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false
    expected *= shape[axis]!
  }
  return true
}
